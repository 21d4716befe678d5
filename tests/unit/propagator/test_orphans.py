"""By what an orphan is known again, and by what it is not."""

import json
from typing import Any

import pytest

from services.propagator.core.adoption import adoption_patch
from services.propagator.core.farewell import farewell_of
from services.propagator.core.marks import ORPHANED
from services.propagator.core.orphans import orphaned, taken_back
from shared.apimachinery.manifest import Manifest, copy
from shared.apimachinery.patch import merge_patch

AT, HERE = "2026-01-01T00:00:00Z", "uid-of-the-cluster"
OURS = {
    "manager": "hanse",
    "operation": "Apply",
    "fieldsV1": {"f:spec": {"f:replicas": {}, "f:paused": {}}},
}
LIVE: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "name": "web",
        "uid": "u",
        "resourceVersion": "7",
        "labels": {"app": "web", "hanse.dev/managed": "true"},
        "managedFields": [OURS, {"manager": "linkerd", "operation": "Update", "fieldsV1": {}}],
    },
    "spec": {"replicas": 2, "paused": False},
    "status": {"replicas": 2},
}


def left(live: Manifest = LIVE) -> Manifest:
    return dict(merge_patch(live, orphaned(live, at=AT, membership=HERE)))


def changed(**parts: Any) -> Manifest:
    found = left()
    metadata = {**found["metadata"], **parts.pop("metadata", {})}
    return {**found, "metadata": metadata, **parts}


def test_it_is_taken_back_with_the_fields_that_were_ours() -> None:
    assert "hanse.dev/managed" not in left()["metadata"]["labels"]
    patch = taken_back(left(), HERE)
    assert patch is not None
    again = merge_patch(left(), patch)
    assert again["metadata"]["labels"] == LIVE["metadata"]["labels"]
    assert OURS in again["metadata"]["managedFields"]
    assert not again["metadata"]["annotations"]


def test_what_an_autoscaler_and_controllers_do_does_not_matter() -> None:
    scaled = {"manager": "kube-controller-manager", "operation": "Update", "subresource": "scale"}
    managed = [*left()["metadata"]["managedFields"], scaled]
    live = changed(
        spec={**LIVE["spec"], "replicas": 9},
        status={"replicas": 9},
        metadata={"managedFields": managed, "resourceVersion": "9", "generation": 4},
    )
    patch = taken_back(live, HERE)
    assert patch is not None
    assert patch["metadata"]["resourceVersion"] == "9"


@pytest.mark.parametrize(
    "live",
    [
        LIVE,
        changed(spec={"replicas": 2, "paused": True}),
        changed(metadata={"uid": "another"}),
        changed(metadata={"labels": {"app": "theirs"}}),
        changed(metadata={"ownerReferences": [{"kind": "App", "name": "x", "uid": "x"}]}),
        changed(metadata={"deletionTimestamp": AT}),
        changed(metadata={"managedFields": [{"manager": "helm", "operation": "Update"}]}),
        changed(metadata={"annotations": {ORPHANED: "{"}}),
        changed(metadata={"annotations": {}}),
    ],
)
def test_what_is_not_as_it_was_left_is_not_taken_back(live: Manifest) -> None:
    assert taken_back(live, HERE) is None


def test_nor_is_what_another_hub_left_or_another_membership() -> None:
    for membership in ("uid-of-another", ""):
        assert taken_back(left(), membership) is None


def test_what_was_somebodys_before_is_theirs_and_bears_no_mark() -> None:
    adopted = merge_patch(LIVE, adoption_patch(LIVE, AT, secret=False))
    assert ORPHANED not in left(adopted)["metadata"]["annotations"]


def test_large_ones_are_known_again_without_their_fields() -> None:
    live = copy(LIVE)
    live["metadata"]["managedFields"][0]["fieldsV1"] = {f"f:{n}": {} for n in range(9_000)}
    mark = json.loads(left(live)["metadata"]["annotations"][ORPHANED])
    assert "fields" not in mark
    patch = taken_back(left(live), HERE)
    assert patch is not None
    assert "managedFields" not in patch["metadata"]


def test_only_what_lost_its_owner_was_orphaned() -> None:
    binding: Manifest = {
        "metadata": {"ownerReferences": [{"uid": "u"}]},
        "spec": {"preserveResourcesOnDeletion": True, "resource": {"uid": "u"}},
    }
    preserved = farewell_of(binding, None)
    assert (preserved.preserve, preserved.orphan) == (True, False)
    binding["metadata"] = {}
    assert farewell_of(binding, None).orphan
    assert not farewell_of(binding, LIVE).orphan, "its policy went, and the template is there"
