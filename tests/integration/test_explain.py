"""Why something is where it is, asked of the scheduler over NATS, the gateway and the command."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.__main__ import main
from hanse.client import HanseClient
from hanse.texts.explanation import as_text
from shared.api.binding import REFERENCES_FOUND
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.port import RequestError
from shared.events.explaining import ExplainRequest, Explanation
from shared.events.requests import API_EXPLAIN
from tests.federation import (
    Federation,
    config_map,
    config_map_key,
    deployment,
    deployment_key,
    eventually,
)
from tests.gateway import serving_gateway
from tests.scheduled_federation import apply, scheduled_federation

WEB = deployment_key("web")
POLICY = ObjectKey("hanse.dev", "propagationpolicies", "shop", "p")
BINDING = ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")
ASKED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "resource": "deployments",
    "namespace": "shop",
    "name": "web",
}


def a_policy(*names: str) -> Manifest:
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "p"},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "placement": {
                "clusterAffinity": {"clusterNames": list(names)},
                "replicaScheduling": {"replicaSchedulingType": "Divided"},
            },
        },
    }


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    """A Deployment divided over two members of three."""
    async with scheduled_federation(tmp_path, "eu-1", "us-1", "ap-1") as found:
        await apply(found, POLICY, a_policy("eu-1", "us-1"))
        await apply(found, WEB, deployment("web", 8))
        await eventually(lambda: placed(found, {"eu-1": 4, "us-1": 4}))
        yield found


async def placed(federation: Federation, shares: dict[str, int]) -> bool:
    stored = await federation.store.get(BINDING)
    clusters = stored.manifest["spec"]["clusters"] if stored is not None else ()
    return {one["name"]: one["replicas"] for one in clusters} == shares


async def explained(federation: Federation, at: str = "", *, config_map: str = "") -> Explanation:
    asked = ExplainRequest(
        api_version="v1" if config_map else "apps/v1",
        kind="ConfigMap" if config_map else "Deployment",
        resource="configmaps" if config_map else "deployments",
        namespace="shop",
        name=config_map or "web",
        at=at,
    )
    return await HanseClient(federation.bus, "test").explain(asked)


async def told(federation: Federation, trigger: str) -> Explanation | None:
    found = await explained(federation)
    return found if found.recorded and found.trigger == trigger else None


async def test_a_decision_is_explained_as_it_was_taken(federation: Federation) -> None:
    found = await eventually(lambda: told(federation, "Created"))
    assert (found.policy, found.scheduled, found.replicas) == ("shop/p", True, 8)
    standings = [(one.cluster, one.standing, one.replicas, one.code) for one in found.clusters]
    assert standings == [
        ("ap-1", "NotPlaced", None, "ClusterAffinity"),
        ("eu-1", "Placed", 4, ""),
        ("us-1", "Placed", 4, ""),
    ]
    assert found.now == ()
    assert found.revision > 0


async def test_earlier_decisions_are_remembered(federation: Federation) -> None:
    first = await eventually(lambda: told(federation, "Created"))
    await apply(federation, WEB, deployment("web", 6))
    found = await eventually(lambda: told(federation, "TemplateChanged"))
    assert found.trigger_message == "its template changed: 8 replicas before"
    (earlier,) = found.earlier
    assert earlier.decided_at == first.decided_at
    assert {one.cluster: one.replicas for one in earlier.clusters} == {"eu-1": 4, "us-1": 4}
    then = await explained(federation, at=first.decided_at)
    assert (then.trigger, then.replicas) == ("Created", 8)


async def test_what_is_not_recorded_is_decided_anew(federation: Federation) -> None:
    other = deployment_key("api")
    await federation.write(other, deployment("api", 2))
    body = json.dumps({**ASKED, "name": "api", "at": "2001-01-01T00:00:00Z"}).encode()
    with pytest.raises(RequestError) as refused:
        await federation.bus.request(API_EXPLAIN, body, deadline=timedelta(seconds=10))
    assert refused.value.code == 404


async def test_who_needs_it_and_what_is_missing_is_named(federation: Federation) -> None:
    names = [
        {"configMapRef": {"name": "settings"}},
        {"configMapRef": {"name": "nowhere"}},
        {"configMapRef": {"name": "perhaps", "optional": True}},
    ]
    web = deployment("web", 8)
    web["spec"]["template"]["spec"]["containers"][0]["envFrom"] = names
    settings = config_map_key("settings")
    await apply(federation, settings, config_map("settings"))
    await apply(federation, WEB, web)
    at = ObjectKey("hanse.dev", "resourcebindings", "shop", "settings-configmap")

    async def followed() -> Any:
        return await federation.store.get(at)

    await eventually(followed)
    found = await explained(federation)
    assert (found.needed_by, found.missing) == ((), ("ConfigMap shop/nowhere",))
    assert "refers to what is not here: ConfigMap shop/nowhere" in as_text(found)

    async def told() -> str:
        binding = await federation.store.get(BINDING)
        conditions = binding.manifest["status"]["conditions"] if binding is not None else ()
        return next((one["message"] for one in conditions if one["type"] == REFERENCES_FOUND), "")

    message = await eventually(told)
    assert "not at the hub" in message
    assert "ConfigMap shop/nowhere;" in message
    assert len(await eventually(lambda: federation.facts("reference", "missed"))) == 1
    needed = await explained(federation, config_map="settings")
    assert needed.needed_by == ("Deployment shop/web",)
    assert "for the sake of Deployment shop/web" in as_text(needed)


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"name": "none"}, 404, 'deployments.apps "none" not found'),
        ({"at": "yesterday"}, 400, "no time in RFC 3339"),
        ({"at": "2001-01-01T00:00:00Z"}, 404, "no decision about web is known"),
        ({"resource": 7}, 400, "cannot be read"),
    ],
)
async def test_what_cannot_be_explained_is_told(
    federation: Federation, more: dict[str, Any], code: int, words: str
) -> None:
    body = json.dumps({**ASKED, **more}).encode()
    with pytest.raises(RequestError) as refused:
        await federation.bus.request(API_EXPLAIN, body, deadline=timedelta(seconds=10))
    assert refused.value.code == code
    assert words in str(refused.value)


async def test_people_ask_with_the_command(
    federation: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await eventually(lambda: told(federation, "Created"))
    async with serving_gateway(federation.store, federation.bus, tmp_path) as kubeconfig:

        async def run(*arguments: str) -> tuple[int, str, str]:
            # What the services of this process have said until now is not of the command.
            capsys.readouterr()
            options = ["explain", *arguments, "-n", "shop", "--kubeconfig", str(kubeconfig)]
            status = await asyncio.to_thread(main, options)
            said = capsys.readouterr()
            return status, said.out, said.err

        status, out, _ = await run("deploy/web")
        assert status == 0
        assert out.startswith("Deployment shop/web: 8 replicas, by policy shop/p\n")
        assert "  eu-1: 4 of 8\n  us-1: 4 of 8\n" in out
        assert "  not ap-1: the policy's cluster affinity does not cover it\n" in out
        status, out, _ = await run("deployment/web", "--json")
        assert (status, json.loads(out)["trigger"]) == (0, "Created")
        status, out, err = await run("deployment/none")
        assert (status, out) == (1, "")
        assert 'deployments.apps "none" not found' in err
