"""What an undo writes: the words of a revision, and nothing that is not theirs."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanse.rollouts.undoing import changes, choose_revision, restored
from shared.api.binding import ObjectReference
from shared.api.revision import ResourceRevision, RevisionSpec
from shared.api.rollout import RolloutStatus
from shared.apimachinery.defaults import with_defaults
from shared.apimachinery.manifest import GroupResource, Manifest, copy
from shared.apimachinery.patch import merge_patch
from shared.errors import InvalidObject
from shared.interpreter.registry import BUILT_IN
from tests.federation import deployment

DEPLOYMENTS = GroupResource("apps", "deployments")
WEB = ObjectReference(api_version="apps/v1", kind="Deployment", resource="deployments", name="web")


def revision(number: int, template: Manifest) -> ResourceRevision:
    spec = RevisionSpec(resource=WEB, revision=number, digest=str(number), template=template)
    return ResourceRevision(spec=spec)


def shown(manifest: Manifest) -> Manifest:
    """As the hub shows it: with defaults, and with its own metadata."""
    found = copy(with_defaults(DEPLOYMENTS, manifest))
    found["metadata"] |= {"uid": "u", "resourceVersion": "7", "managedFields": []}
    return {**found, "status": {"replicas": 3}}


def patch_back(now: Manifest, then: Manifest) -> Manifest:
    template = shown(now)
    place = BUILT_IN.of(template).replicas
    return changes(DEPLOYMENTS, template, restored(template, revision(1, then), place))


def test_what_is_as_it_was_needs_no_patch():
    assert patch_back(deployment("web", 9), deployment("web", 3)) == {}


def test_only_what_differs_is_written_and_no_default():
    now = deployment("web", 9)
    now["spec"] |= {"minReadySeconds": 5, "paused": True}
    now["spec"]["template"]["spec"]["containers"][0]["image"] = "other"
    then = deployment("web", 3)
    then["spec"]["minReadySeconds"] = 1
    assert patch_back(now, then) == {
        "spec": {
            "minReadySeconds": 1,
            "paused": None,
            "template": {"spec": {"containers": then["spec"]["template"]["spec"]["containers"]}},
        }
    }


def test_what_is_a_default_now_goes_back_to_being_one():
    now = deployment("web", 9)
    now["spec"]["revisionHistoryLimit"] = 2
    assert patch_back(now, deployment("web", 9)) == {"spec": {"revisionHistoryLimit": None}}


JSON = st.recursive(
    st.booleans() | st.integers(0, 3) | st.text("ab", max_size=2),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text("ab", max_size=2), parts),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text("ab", max_size=2), JSON)


@given(OBJECTS, OBJECTS)
def test_the_patch_leads_from_any_object_to_any_other(shown: Manifest, wished: Manifest):
    patch = changes(GroupResource("acme.example", "widgets"), shown, wished)
    assert merge_patch(shown, patch) == wished
    assert bool(patch) is (shown != wished)


def test_what_the_hub_keeps_of_its_own_stays():
    now, then = deployment("web", 9), deployment("web", 3)
    now["metadata"]["annotations"] = {"hanse.dev/x": "1", "note": "now", "new": "1"}
    then["metadata"]["annotations"] = {"note": "then"}
    then["metadata"]["labels"] = {"a": "b"}
    assert patch_back(now, then) == {
        "metadata": {"annotations": {"note": "then", "new": None}, "labels": {"a": "b"}}
    }


def test_replicas_stay_unsaid_where_nobody_says_them():
    now, then = deployment("web", 9), deployment("web", 3)
    del now["spec"]["replicas"]
    del then["metadata"]["generation"]
    template = copy(now)
    assert (
        "replicas" not in restored(template, revision(1, then), BUILT_IN.of(now).replicas)["spec"]
    )


@pytest.mark.parametrize(
    ("fields", "wanted", "chosen"),
    [
        ({"target_revision": 3, "complete_revision": 2, "previous_revision": 1}, None, 2),
        ({"target_revision": 2, "complete_revision": 2, "previous_revision": 1}, None, 1),
        ({"target_revision": 2, "complete_revision": 2}, 2, 2),
    ],
)
def test_the_revision_to_go_back_to(fields: dict[str, int], wanted: int | None, chosen: int):
    kept = {number: revision(number, {}) for number in (1, 2)}
    assert choose_revision(kept, RolloutStatus(**fields), wanted).spec.revision == chosen


@pytest.mark.parametrize(("wanted", "said"), [(None, "no earlier revision"), (9, "not kept: 1")])
def test_there_may_be_none(wanted: int | None, said: str):
    status: Any = msgspec.structs.replace(RolloutStatus(), target_revision=1, complete_revision=1)
    with pytest.raises(InvalidObject, match=said):
        choose_revision({1: revision(1, {})}, status, wanted)
