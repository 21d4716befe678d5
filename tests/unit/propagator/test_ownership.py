"""What of an order is insisted on, and what is left to whoever holds it."""

from typing import Any

import pytest

from services.propagator.core.drift import LostField
from services.propagator.core.drift_telling import REDACTED, shown
from services.propagator.core.ownership import (
    ReplicaClaim,
    claim,
    has_scale,
    is_members,
    mode_of,
    stray_replicas,
    tokens_of,
)
from shared.api.ownership import (
    PLAIN,
    DriftPath,
    DriftPolicy,
    OwnershipTerms,
    ReplicaOwnership,
)
from shared.apimachinery.manifest import GroupVersionKind, Manifest

ORDERED: Manifest = {
    "metadata": {
        "labels": {"app": "web", "hanse.dev/managed": "true"},
        "annotations": {"note": "ours"},
    },
    "spec": {"replicas": 3, "paused": False},
}
OURS: dict[str, Any] = {
    "f:metadata": {
        "f:labels": {"f:app": {}, "f:hanse.dev/managed": {}},
        "f:annotations": {"f:note": {}},
    },
    "f:spec": {"f:replicas": {}, "f:paused": {}},
}
SHARED = OwnershipTerms(
    replica_ownership=ReplicaOwnership(owner="Shared", min_replicas=2, max_replicas=5)
)


def by(manager: str, fields: dict[str, Any], operation: str = "Update") -> dict[str, Any]:
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def without(*path: str) -> dict[str, Any]:
    """What is ours but for one field."""

    def cut(fields: dict[str, Any], steps: tuple[str, ...]) -> dict[str, Any]:
        first, *rest = steps
        if rest:
            return {**fields, first: cut(fields[first], tuple(rest))}
        return {name: below for name, below in fields.items() if name != first}

    return cut(OURS, path)


def a_live(*entries: dict[str, Any], note: str = "ours", **spec: Any) -> Manifest:
    return {
        "metadata": {
            "labels": ORDERED["metadata"]["labels"],
            "annotations": {"note": note},
            "managedFields": list(entries),
        },
        "spec": {**ORDERED["spec"], **spec},
    }


def noted(note: str) -> Manifest:
    """Somebody wrote our annotation."""
    taken = {"f:metadata": {"f:annotations": {"f:note": {}}}}
    ours = by("hanse", without("f:metadata", "f:annotations"), "Apply")
    return a_live(ours, by("kubectl", taken), note=note)


def scaled(replicas: int, manager: str = "kube-controller-manager") -> Manifest:
    ours = by("hanse", without("f:spec", "f:replicas"), "Apply")
    return a_live(ours, by(manager, {"f:spec": {"f:replicas": {}}}), replicas=replicas)


def told(mode: str, *paths: tuple[str, str]) -> OwnershipTerms:
    entries = tuple(DriftPath(path=path, mode=each) for path, each in paths)  # type: ignore[arg-type]
    return OwnershipTerms(drift=DriftPolicy(mode=mode, paths=entries))  # type: ignore[arg-type]


def paths(fields: tuple[LostField, ...]) -> list[str]:
    return [one.path for one in fields]


def test_by_default_everything_is_insisted_on() -> None:
    found = claim(ORDERED, noted("theirs"), PLAIN, ReplicaClaim.JUDGED)
    assert found.body == ORDERED
    assert paths(found.division.insisted) == [".metadata.annotations.note"]
    assert found.division.left == ()


def test_what_is_ignored_is_left_out_and_not_told() -> None:
    terms = told("Correct", ("/metadata/annotations", "Ignore"))
    found = claim(ORDERED, noted("theirs"), terms, ReplicaClaim.JUDGED)
    assert found.body["metadata"]["annotations"] == {}
    assert found.body["spec"] == ORDERED["spec"]
    assert paths(found.division.left) == [".metadata.annotations.note"]
    assert (found.division.told, found.division.insisted) == ((), ())


def test_what_is_reported_is_left_and_told_until_it_is_put_back() -> None:
    found = claim(ORDERED, noted("theirs"), told("Report"), ReplicaClaim.JUDGED)
    assert paths(found.division.told) == [".metadata.annotations.note"]
    back = claim(ORDERED, noted("ours"), told("Report"), ReplicaClaim.JUDGED)
    assert back.division.told == back.division.left == ()
    assert back.body == ORDERED


def test_what_a_new_order_adds_was_not_removed_by_anybody() -> None:
    ordered = {**ORDERED, "spec": {**ORDERED["spec"], "more": 1}}
    live = a_live(by("hanse", OURS, "Apply"))
    new = claim(ordered, live, told("Report"), ReplicaClaim.JUDGED, news=True)
    assert (new.body, new.division.told) == (ordered, ())
    old = claim(ordered, live, told("Report"), ReplicaClaim.JUDGED)
    assert paths(old.division.told) == [".spec.more"]


def test_marks_are_insisted_on_whatever_the_policy_says() -> None:
    ours = by("hanse", without("f:metadata", "f:labels", "f:hanse.dev/managed"), "Apply")
    live = a_live(ours)
    live["metadata"]["labels"] = {"app": "web"}
    found = claim(ORDERED, live, told("Ignore"), ReplicaClaim.JUDGED)
    assert paths(found.division.insisted) == [".metadata.labels.hanse.dev/managed"]


def test_the_longest_path_that_covers_a_field_counts() -> None:
    policy = told("Report", ("/spec", "Ignore"), ("/spec/template/*/a~1b", "Correct")).drift
    assert mode_of(policy, ("metadata", "labels", "x")) == "Report"
    assert mode_of(policy, ("spec", "replicas")) == "Ignore"
    assert mode_of(policy, ("spec", "template", "0", "a/b", "c")) == "Correct"
    assert mode_of(policy, ("spec", "template", "0", "a")) == "Ignore"
    assert tokens_of("/a~01/b~1c") == ("a~1", "b/c")


def test_who_owns_replicas() -> None:
    def owner(name: str, *, autoscaled: bool) -> bool:
        return is_members(ReplicaOwnership(owner=name), autoscaled=autoscaled)  # type: ignore[arg-type]

    assert owner("Auto", autoscaled=True)
    assert not owner("Auto", autoscaled=False)
    assert not owner("Hanse", autoscaled=True)
    assert owner("Member", autoscaled=False)
    assert owner("Shared", autoscaled=False)


@pytest.mark.parametrize(
    ("api_version", "kind", "scales"),
    [
        ("apps/v1", "Deployment", True),
        ("batch/v1", "Job", False),
        ("v1", "ConfigMap", False),
        ("argoproj.io/v1alpha1", "Rollout", True),
    ],
)
def test_what_an_autoscaler_may_scale(api_version: str, kind: str, scales: bool) -> None:  # noqa: FBT001
    assert has_scale(GroupVersionKind.parse(api_version, kind)) is scales


def test_the_members_replicas_are_left_out_and_no_drift() -> None:
    found = claim(ORDERED, scaled(9), PLAIN, ReplicaClaim.LEFT)
    assert found.body["spec"] == {"paused": False}
    assert (found.division.insisted, found.division.told) == ((), ())
    assert found.hand_over is None


def test_replicas_that_only_hanse_holds_are_handed_over_before_they_are_let_go() -> None:
    live = a_live(by("hanse", OURS, "Apply"), replicas=3)
    assert claim(ORDERED, live, PLAIN, ReplicaClaim.LEFT).hand_over == 3
    held = a_live(by("hanse", OURS, "Apply"), by("x", {"f:spec": {"f:replicas": {}}}))
    assert claim(ORDERED, held, PLAIN, ReplicaClaim.LEFT).hand_over is None


def test_a_new_object_begins_with_what_was_decided_within_the_bounds() -> None:
    assert claim(ORDERED, None, PLAIN, ReplicaClaim.LEFT).body == ORDERED
    ordered = {**ORDERED, "spec": {"replicas": 8}}
    assert claim(ordered, None, SHARED, ReplicaClaim.LEFT).body["spec"]["replicas"] == 5


@pytest.mark.parametrize(("replicas", "allowed"), [(9, 5), (1, 2), (4, None), (2, None)])
def test_shared_replicas_are_corrected_outside_of_their_bounds_only(
    replicas: int, allowed: int | None
) -> None:
    assert stray_replicas(SHARED, replicas) == allowed
    found = claim(ORDERED, scaled(replicas), SHARED, ReplicaClaim.LEFT)
    assert found.body["spec"].get("replicas") == allowed
    ordered = [one.ordered for one in found.division.insisted]
    assert ordered == ([] if allowed is None else [allowed])


def test_replicas_are_taken_back_when_the_autoscaler_is_gone_even_under_report() -> None:
    found = claim(ORDERED, scaled(9), told("Report"), ReplicaClaim.REGAINED)
    assert found.body["spec"]["replicas"] == 3
    assert paths(found.division.insisted) == [".spec.replicas"]


def test_values_are_short_and_those_of_a_secret_are_not_told() -> None:
    field = LostField(".data.key", ("f:data", "f:key"), ("data", "key"), "x" * 999, "b")
    plain = shown(field, GroupVersionKind("", "v1", "ConfigMap"))
    assert (len(plain.ordered), plain.found) == (200, '"b"')
    secret = shown(field, GroupVersionKind("", "v1", "Secret"))
    assert (secret.ordered, secret.found) == (REDACTED, REDACTED)
    label = LostField(".metadata.labels.a", (), ("metadata", "labels", "a"), "1", "2")
    assert shown(label, GroupVersionKind("", "v1", "Secret")).found == '"2"'
