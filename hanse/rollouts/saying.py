"""Saying something to a rollout: paused or not, yes to a stage, once more. By compare-and-set."""

from collections.abc import Callable
from typing import Any

import msgspec

from hanse.rollouts.subject import ATTEMPTS, Subject, hanse_kind, is_conflict
from shared.api.meta import section
from shared.api.rollout import Approval, ResourceRollout, RolloutSpec
from shared.errors import InvalidObject, MemberRefused

MANAGER = "hanse-rollout"
_STUCK = ("Failed", "RollingBack", "RolledBack")


async def pause(subject: Subject) -> str:
    await _say(subject, lambda rollout: _changed(rollout, paused=True))
    return f"{subject} is paused: nothing more is changed in any cluster"


async def resume(subject: Subject) -> str:
    await _say(subject, lambda rollout: _changed(rollout, paused=False))
    return f"{subject} goes on"


async def retry(subject: Subject) -> str:
    """Try again what failed or was rolled back; raises `InvalidObject` where nothing did."""

    def again(rollout: ResourceRollout) -> RolloutSpec:
        if rollout.status.phase not in _STUCK:
            raise InvalidObject(f"{subject} has not failed: it is {rollout.status.phase}")
        return _changed(rollout, attempt=rollout.status.attempt + 1)

    rollout = await _say(subject, again)
    return f"revision {rollout.status.target_revision} of {subject} is tried again"


async def approve(subject: Subject, stage: str, revision: int | None) -> str:
    """Say yes to *stage* (empty: the one that waits) of *revision* (None: the one under way)."""
    chosen: list[Approval] = []

    def agree(rollout: ResourceRollout) -> RolloutSpec:
        approval = _choose(subject, rollout, stage, revision)
        chosen[:] = [approval]
        kept = [one for one in rollout.spec.approvals if one.revision == approval.revision]
        return _changed(rollout, approvals=tuple(dict.fromkeys((*kept, approval))))

    await _say(subject, agree)
    return f"stage {chosen[0].stage} of {subject} may begin with revision {chosen[0].revision}"


def _choose(
    subject: Subject, rollout: ResourceRollout, stage: str, revision: int | None
) -> Approval:
    status = rollout.status
    if revision is not None and revision != status.target_revision:
        raise InvalidObject(
            f"revision {status.target_revision} of {subject} is under way, not {revision}"
        )
    waiting = [one.name for one in status.stages if one.state == "WaitingForApproval"]
    name = stage or next(iter(waiting), "")
    if not name:
        raise InvalidObject(f"no stage of {subject} waits for a yes; name one to agree beforehand")
    if name not in {one.name for one in status.stages}:
        known = ", ".join(one.name for one in status.stages)
        raise InvalidObject(f'{subject} has no stage "{name}": {known}')
    return Approval(revision=status.target_revision, stage=name)


def _changed(rollout: ResourceRollout, **fields: Any) -> RolloutSpec:
    return msgspec.structs.replace(rollout.spec, **fields)


async def _say(
    subject: Subject, change: Callable[[ResourceRollout], RolloutSpec]
) -> ResourceRollout:
    """Write what *change* makes of the rollout's spec, read anew as often as somebody wrote it."""
    kind = hanse_kind("ResourceRollout", namespaced=subject.kind.namespaced)
    for attempt in range(ATTEMPTS):
        rollout = await subject.rollout()
        spec = change(rollout)
        if spec == rollout.spec:
            return rollout
        patch = {
            "metadata": {"resourceVersion": rollout.metadata.resource_version},
            # A default is not written: what was there before must go.
            "spec": dict.fromkeys(section(rollout.spec)) | section(spec),
        }
        try:
            await subject.hub.merge(
                kind, subject.namespace, subject.binding, patch, manager=MANAGER
            )
        except MemberRefused as err:
            if not is_conflict(err) or attempt + 1 == ATTEMPTS:
                raise
        else:
            return rollout
    raise AssertionError("the last attempt returns or raises")
