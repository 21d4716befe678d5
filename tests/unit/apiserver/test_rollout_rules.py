"""What a policy may say of rollouts, and what people may say to one."""

from typing import Any

import pytest

from shared.api.meta import API_VERSION, GROUP, read
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import GroupResource, GroupVersionKind, Manifest
from shared.apiserver.admission import Write
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.rules.admission import hanse_admission
from shared.apiserver.rules.policies import check_policy
from shared.apiserver.status_errors import ApiFault
from shared.clock import SystemClock
from shared.errors import InvalidObject

SELECTED = [{"apiVersion": "apps/v1", "kind": "Deployment"}]


def faults(**rollout: Any) -> list[str]:
    spec = {"resourceSelectors": SELECTED, "rollout": rollout}
    return [one.path for one in check_policy(read({"spec": spec}, PropagationPolicy))]


@pytest.mark.parametrize(
    "rollout",
    [
        {},
        {"maxConcurrency": 1, "maxFailures": 0, "minSuccessTime": "0s"},
        {"maxConcurrency": "100%", "maxFailures": "0%", "progressDeadline": "1h30m"},
        {"stages": [{"name": "a", "percentage": 1}, {"name": "b", "approval": "Required"}]},
        {"onFailure": "Rollback", "revisionHistoryLimit": 0},
    ],
)
def test_a_sane_rollout_is_accepted(rollout: dict[str, Any]) -> None:
    assert faults(**rollout) == []


@pytest.mark.parametrize(
    ("rollout", "path"),
    [
        ({"maxConcurrency": 0}, "maxConcurrency"),
        ({"maxConcurrency": "0%"}, "maxConcurrency"),
        ({"maxConcurrency": "101%"}, "maxConcurrency"),
        ({"maxConcurrency": "2"}, "maxConcurrency"),
        ({"maxFailures": -1}, "maxFailures"),
        ({"minSuccessTime": "5"}, "minSuccessTime"),
        ({"minSuccessTime": "-5s"}, "minSuccessTime"),
        ({"progressDeadline": "0s"}, "progressDeadline"),
        ({"progressDeadline": "9999999h"}, "progressDeadline"),
        ({"revisionHistoryLimit": -1}, "revisionHistoryLimit"),
        ({"revisionHistoryLimit": 101}, "revisionHistoryLimit"),
        ({"stages": [{"name": ""}]}, "stages[0].name"),
        ({"stages": [{"name": "Not_a_label"}]}, "stages[0].name"),
        ({"stages": [{"name": "remaining"}]}, "stages[0].name"),
        ({"stages": [{"name": "a"}, {"name": "a"}]}, "stages[1].name"),
        ({"stages": [{"name": "a", "percentage": 0}]}, "stages[0].percentage"),
        ({"stages": [{"name": "a", "maxFailures": "x"}]}, "stages[0].maxFailures"),
        (
            {"stages": [{"name": "a", "clusterAffinity": {"clusterNames": ["A"]}}]},
            "stages[0].clusterAffinity.clusterNames[0]",
        ),
        ({"stages": [{"name": f"s{number}"} for number in range(65)]}, "stages"),
        ({"sortingLabelKey": "a b"}, "sortingLabelKey"),
        ({"stages": [{"name": "a", "sortingLabelKey": "-"}]}, "stages[0].sortingLabelKey"),
    ],
)
def test_what_makes_no_sense_is_named(rollout: dict[str, Any], path: str) -> None:
    assert faults(**rollout) == [f"spec.rollout.{path}"]


def admit(kind: str, resource: str, old: Manifest | None, new: Manifest | None) -> list[str]:
    served = ResourceKind(
        gvk=GroupVersionKind(GROUP, "v1alpha1", kind),
        resource=resource,
        singular=kind.lower(),
        namespaced=True,
    )
    rule = hanse_admission(SystemClock())[GroupResource(GROUP, resource)]
    return list(rule.admit(Write(served, old, new)))


def an_object(kind: str, **spec: Any) -> Manifest:
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": "web-deployment", "namespace": "shop"},
        "spec": spec,
    }


def test_nobody_begins_a_rollout_by_hand_and_everybody_may_say_how_it_goes_on() -> None:
    old = an_object("ResourceRollout")
    with pytest.raises(ApiFault):
        admit("ResourceRollout", "resourcerollouts", None, old)
    said = an_object("ResourceRollout", paused=True, approvals=[{"revision": 1, "stage": "a"}])
    assert admit("ResourceRollout", "resourcerollouts", old, said) == []
    for nonsense in ({"attempt": -1}, {"approvals": [{"revision": 0, "stage": ""}]}):
        with pytest.raises(InvalidObject):
            admit(
                "ResourceRollout",
                "resourcerollouts",
                old,
                an_object("ResourceRollout", **nonsense),
            )


def test_a_record_is_never_rewritten() -> None:
    old = an_object("ResourceRevision", revision=1)
    with pytest.raises(ApiFault):
        admit("ResourceRevision", "resourcerevisions", None, old)
    with pytest.raises(ApiFault):
        admit("ResourceRevision", "resourcerevisions", old, an_object("ResourceRevision"))
    assert admit("ResourceRevision", "resourcerevisions", old, {**old, "metadata": {}}) == []


def test_whoever_selects_what_goes_everywhere_at_once_is_warned() -> None:
    selected = [*SELECTED, {"apiVersion": "v1", "kind": "Secret"}]
    policy = an_object("PropagationPolicy", resourceSelectors=selected, rollout={})
    assert admit("PropagationPolicy", "propagationpolicies", None, policy) == [
        "spec.rollout: every Secret goes to all its clusters at once"
    ]
    without = an_object("PropagationPolicy", resourceSelectors=selected)
    assert admit("PropagationPolicy", "propagationpolicies", None, without) == []
