"""Requests made from the documents that the gateway itself serves, group by group."""

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case

from tests.fuzz.conftest import Prey
from tests.fuzz.profile import EXAMPLES, PATHS

SEED = 1
GROUPS = [
    "api/v1",
    "apis/apps/v1",
    "apis/batch/v1",
    "apis/networking.k8s.io/v1",
    "apis/autoscaling/v2",
    "apis/rbac.authorization.k8s.io/v1",
    "apis/apiextensions.k8s.io/v1",
    "apis/hanse.dev/v1alpha1",
]


def documents(prey: Prey) -> Iterator[dict[str, Any]]:
    """Yield every document to hunt with, that of the custom group last."""
    index = json.loads(prey.send("GET", "/openapi/v3").body)["paths"]
    custom = [name for name in index if name.endswith(".example.com/v1")]
    assert custom, "the definition of the fixture is served"
    for name in (*GROUPS, *custom):
        reply = prey.send("GET", index[name]["serverRelativeURL"])
        assert reply.code == 200, (name, reply.body[:500])
        yield json.loads(reply.body)


def operations_of(document: dict[str, Any], chosen: random.Random) -> Iterator[Any]:
    """Yield the operations of some of its paths."""
    paths = document["paths"]
    names = chosen.sample(sorted(paths), min(PATHS, len(paths)))
    # Reading takes longer than sending, so what is not wanted goes before.
    schema = schemathesis.openapi.from_dict({**document, "paths": {n: paths[n] for n in names}})
    # The client's own token is sent, not what a generator thinks of.
    schema.config.generation.update(with_security_parameters=False)
    for found in schema.get_all_operations():
        yield found.ok()


def hunt(prey: Prey, operation: Any) -> None:
    @seed(SEED)
    @settings(
        max_examples=max(2, EXAMPLES // 5),
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def each(case: Case) -> None:
        prey.judge(prey.send(case.method, *_sent(case)), operation.label, case.body)

    each()


def _sent(case: Case) -> tuple[str, bytes | None, dict[str, str]]:
    """Path with query, body and headers; what watches must end while we wait."""
    filled = {name: quote(str(value), safe="") for name, value in case.path_parameters.items()}
    query = {**(case.query or {}), "timeoutSeconds": 1}
    # Nothing is kept: collections would grow, and what others hunt would be deleted.
    if case.method.upper() != "GET":
        query["dryRun"] = "All"
    target = f"{case.path.format(**filled)}?{urlencode(query, doseq=True, errors='replace')}"
    has_body = isinstance(case.body, dict | list | str | int | float | bool | type(None))
    if case.method.upper() == "GET" or not has_body:
        return target, None, {}
    media = case.media_type or "application/json"
    return target, json.dumps(case.body).encode(), {"Content-Type": media}


@pytest.mark.timeout(3_600)
def test_no_document_leads_to_a_bug(prey: Prey) -> None:
    chosen = random.Random(SEED)  # noqa: S311 - it must choose alike each time.
    for document in documents(prey):
        for operation in operations_of(document, chosen):
            hunt(prey, operation)
        assert prey.send("GET", "/livez").body == b"ok"
