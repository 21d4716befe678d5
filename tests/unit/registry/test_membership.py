"""Who may be a member, and the life of a membership."""

import pytest

from services.registry.core.inventory import Identity, enablements_of
from services.registry.core.lifecycle import (
    REFUSALS,
    TRANSITIONS,
    Reason,
    State,
    Trigger,
    next_state,
    state_of,
)
from services.registry.core.registration import Member, rule
from shared.api.cluster import JOINED
from shared.api.meta import Condition
from shared.apimachinery.manifest import GroupVersionKind
from shared.interpreter.versions import is_supported, read_version
from shared.memberapi.port import ResourceType

FOUND = Identity(id="uid-1", version="v1.31.2")


def a_member(name: str = "eu-1", **known: object) -> Member:
    fields: dict[str, object] = {"id": "", "joined": False, "created": "2026-01-01T00:00:00Z"}
    return Member(name=name, **(fields | known))  # type: ignore[arg-type]


def test_every_state_has_a_row_and_every_row_can_end() -> None:
    assert set(TRANSITIONS) == set(State)
    for state, row in TRANSITIONS.items():
        assert state is State.LEFT or row[Trigger.DELETED] is State.LEFT


def test_nothing_happens_after_leaving() -> None:
    with pytest.raises(KeyError):
        next_state(State.LEFT, Trigger.PROVED)


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        ("True", Reason.IDENTIFIED, State.JOINED),
        ("False", Reason.AWAITING_CREDENTIALS, State.PENDING),
        ("False", Reason.UNREACHABLE, State.PENDING),
        *(("False", reason, State.REFUSED) for reason in sorted(REFUSALS)),
    ],
)
def test_the_state_is_read_from_the_condition(status: str, reason: Reason, expected: State) -> None:
    assert state_of([Condition(type=JOINED, status=status, reason=reason)]) is expected
    assert state_of([]) is State.PENDING


def test_a_new_cluster_may_join() -> None:
    ruling = rule(a_member(), FOUND, [a_member(), a_member("us-1", id="other", joined=True)])
    assert (ruling.trigger, ruling.reason) == (Trigger.PROVED, Reason.IDENTIFIED)


def test_the_federation_is_no_member_of_itself() -> None:
    ruling = rule(a_member(), FOUND, [a_member()], hub=FOUND.id)
    assert (ruling.trigger, ruling.reason) == (Trigger.DISPROVED, Reason.HUB_ITSELF)


def test_a_cluster_is_a_member_under_one_name_only() -> None:
    fleet = [a_member("us-1", id="uid-1", joined=True, created="2026-02-01T00:00:00Z")]
    ruling = rule(a_member(), FOUND, fleet)
    assert ruling.reason is Reason.ALREADY_MEMBER
    assert "us-1" in ruling.message


def test_of_two_that_joined_at_the_same_time_the_elder_stays() -> None:
    elder = a_member("a", id="uid-1", joined=True, created="2026-01-01T00:00:00Z")
    junior = a_member("b", id="uid-1", joined=True, created="2026-01-01T00:00:01Z")
    fleet = [elder, junior]
    assert rule(elder, FOUND, fleet).trigger is Trigger.PROVED
    assert rule(junior, FOUND, fleet).reason is Reason.ALREADY_MEMBER


def test_a_name_stands_for_one_cluster() -> None:
    ruling = rule(a_member(id="uid-0", joined=True), FOUND, [])
    assert ruling.reason is Reason.IDENTITY_CHANGED


def test_too_old_a_version_and_no_identity_are_refused() -> None:
    old = Identity(id="uid-1", version="v1.20.1")
    assert rule(a_member(), old, []).reason is Reason.UNSUPPORTED_VERSION
    assert rule(a_member(), Identity(id="", version="v1.31"), []).reason is Reason.NO_IDENTITY


@pytest.mark.parametrize(
    ("version", "supported"),
    [
        ("v1.24.0", True),
        ("v1.31.2+k3s1", True),
        ("1.30", True),
        ("v2.0.0", True),
        ("v1.9.1", False),
        ("", False),
    ],
)
def test_versions_compare_as_numbers(version: str, supported: bool) -> None:  # noqa: FBT001
    assert is_supported(version) is supported


def test_a_version_that_is_none_is_empty() -> None:
    assert read_version(b'{"gitVersion": "v1.31.2", "major": "1"}') == "v1.31.2"
    assert read_version(b"<html>") == ""


def test_equal_inventories_are_equal_in_whatever_order() -> None:
    kinds = [
        ResourceType(GroupVersionKind("apps", "v1", "Deployment"), "deployments", namespaced=True),
        ResourceType(GroupVersionKind("", "v1", "Pod"), "pods", namespaced=True),
        ResourceType(GroupVersionKind("", "v1", "Node"), "nodes", namespaced=False),
    ]
    found = enablements_of(kinds)
    assert found == enablements_of(kinds[::-1])
    assert [each.group_version for each in found] == ["apps/v1", "v1"]
    assert [each.name for each in found[1].resources] == ["nodes", "pods"]
