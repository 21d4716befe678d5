"""What a status of a rollout has to tell others: every fact that follows from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.api.binding import ObjectReference
from shared.api.rollout import RolloutStatus
from shared.events.rollout import (
    AnyRolloutFact,
    ApprovalRequested,
    RolloutCompleted,
    RolloutFailed,
    RolloutRolledBack,
    RolloutStarted,
    StageReleased,
    type_of,
)


@dataclass(frozen=True, slots=True)
class Telling:
    """A fact, and what makes it the same one when it is told again."""

    fact: AnyRolloutFact
    identity: str


def tellings_of(status: RolloutStatus, resource: ObjectReference, uid: str) -> list[Telling]:
    """Every fact of the revision under way up to now; *uid* is the rollout's."""
    found = []
    for fact in _facts_of(status, resource):
        stage = getattr(fact, "stage", "")
        identity = f"{uid}/{status.target_revision}/{status.attempt}/{type_of(fact)}/{stage}"
        found.append(Telling(fact, identity))
    return found


def _facts_of(status: RolloutStatus, resource: ObjectReference) -> Iterator[AnyRolloutFact]:
    about: dict[str, Any] = {
        "api_version": resource.api_version,
        "kind": resource.kind,
        "resource": resource.resource,
        "namespace": resource.namespace,
        "name": resource.name,
        "revision": status.target_revision,
        "attempt": status.attempt,
    }
    complete, at = status.complete_revision, status.since
    before = complete if complete != status.target_revision else 0
    yield RolloutStarted(**about, occurred_at=at, complete_revision=before)
    for stage in status.stages:
        if not stage.clusters:
            continue
        if stage.state in ("Progressing", "Complete"):
            clusters = tuple(one.name for one in status.clusters if one.stage == stage.name)
            yield StageReleased(
                **about, occurred_at=stage.since, stage=stage.name, clusters=clusters
            )
        elif stage.state == "WaitingForApproval":
            yield ApprovalRequested(**about, occurred_at=stage.since, stage=stage.name)
    match status.phase:
        case "Complete":
            yield RolloutCompleted(**about, occurred_at=at)
        case "Failed":
            yield RolloutFailed(**about, occurred_at=at, message=status.failure)
        case "RollingBack" | "RolledBack":
            yield RolloutFailed(
                **about,
                occurred_at=at,
                message=status.failure,
                returning_to=complete,
            )
    if status.phase == "RolledBack":
        yield RolloutRolledBack(**about, occurred_at=at, complete_revision=complete)
