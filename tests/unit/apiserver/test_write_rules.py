"""What may not change once written, as a kube-apiserver has it."""

from typing import Any

import pytest

from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.status_errors import ApiFault
from shared.apiserver.write_rules import prepare_content

KINDS = {kind.gvk: kind for kind in builtin_kinds()}
JOB = KINDS[GroupVersionKind("batch", "v1", "Job")]
STATEFUL_SET = KINDS[GroupVersionKind("apps", "v1", "StatefulSet")]


def written(kind: ResourceKind, spec: dict[str, Any]) -> Manifest:
    metadata = {"name": "a", "namespace": "shop"}
    manifest = {"apiVersion": kind.gvk.api_version, "kind": kind.gvk.kind, "metadata": metadata}
    return prepare_content(kind, None, {**manifest, "spec": spec})


def pods(image: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "a", "image": image}], "restartPolicy": "Never"}}


@pytest.mark.parametrize(
    ("kind", "before", "after", "path"),
    [
        (JOB, {"template": pods("a:1")}, {"template": pods("a:2")}, "spec.template"),
        (
            STATEFUL_SET,
            {"template": pods("a:1"), "volumeClaimTemplates": [{"metadata": {"name": "x"}}]},
            {"template": pods("a:2"), "volumeClaimTemplates": [{"metadata": {"name": "y"}}]},
            "spec.volumeClaimTemplates",
        ),
    ],
)
def test_what_is_immutable_is_refused_where_it_is(
    kind: ResourceKind, before: dict[str, Any], after: dict[str, Any], path: str
) -> None:
    old = written(kind, before)
    prepare_content(kind, old, written(kind, {**before, "suspend": False}))
    with pytest.raises(ApiFault, match=f"{path}: Invalid value: field is immutable"):
        prepare_content(kind, old, written(kind, after))


def test_a_suspended_job_may_still_be_told_what_to_run() -> None:
    old = written(JOB, {"template": pods("a:1"), "suspend": True})
    new = written(JOB, {"template": pods("a:2"), "suspend": True})
    assert prepare_content(JOB, old, new) == new
