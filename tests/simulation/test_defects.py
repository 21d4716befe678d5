"""That the simulation can fail: each deliberate defect is found within a few seeds."""

import dataclasses
import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from services.health.reconcilers import verdicts
from services.propagator.apply import fence, gate, objects
from services.propagator.apply.exports import observer
from services.propagator.apply.holding import holder
from services.propagator.apply.removal import remover
from services.propagator.apply.reporting import outcomes, status_log
from services.propagator.core.fence import Hold, Standing
from services.propagator.dispatch import publisher
from services.scheduler.core.change import moves
from services.scheduler.core.division import shares
from services.traffic.reconcilers import exports, publishing
from shared.events.cluster import Reach
from tests.simulation import evidence, invariants, leaving, traffic
from tests.simulation.exclusion import RUNS_ONCE
from tests.simulation.simulation import Length, simulate

pytestmark = pytest.mark.timeout(900)
SEEDS = 60
"""As many as may be tried, beginning shortly before the first that found the defect: to find it
from the first seed on took as long as everything else here."""
LENGTH = Length(rest_seconds=120)
"""What is well rests sooner, with hardly an exception, and a defect is not watched for long."""

Defect = Callable[[pytest.MonkeyPatch], None]


def ignore_tombstones(patch: pytest.MonkeyPatch) -> None:
    """The worker says that it removed what it did not."""

    async def remove(self: remover.Remover, tracked: objects.TrackedObject, _order: Any) -> Any:
        return await self._outcomes.removed(tracked)

    patch.setattr(remover.Remover, "remove", remove)


def report_before_applying(patch: pytest.MonkeyPatch) -> None:
    """What is said comes before what is done."""
    apply = holder.Holder._apply

    async def applying(
        self: holder.Holder, tracked: objects.TrackedObject, body: bytes, **options: Any
    ) -> None:
        self._reports._report(tracked, applied=True, present=True)
        await apply(self, tracked, body, **options)

    patch.setattr(holder.Holder, "_apply", applying)


def compare_no_generations(patch: pytest.MonkeyPatch) -> None:
    """A worker that comes late does not notice that it is late."""
    patch.setattr(objects.TrackedObject, "outrun", property(lambda _self: False))


def give_up_what_is_refused(patch: pytest.MonkeyPatch) -> None:
    """What the member did not take the first time is never tried again."""

    async def refused(
        self: outcomes.Outcomes, tracked: objects.TrackedObject, _err: Exception
    ) -> Any:
        return await self.obeyed(tracked)

    patch.setattr(outcomes.Outcomes, "refused", refused)


def lose_a_replica(patch: pytest.MonkeyPatch) -> None:
    """Division loses one of many."""
    divide = shares.divide  # type: ignore[attr-defined]

    def losing(replicas: int, *given: Any, **named: Any) -> Any:
        return divide(replicas - 1 if replicas > 4 else replicas, *given, **named)

    patch.setattr(shares, "divide", losing)


def share_one_gate(patch: pytest.MonkeyPatch) -> None:
    """All members wait while one is silent."""
    until = {"until": 0.0}

    def failed(self: gate.MemberGate, _err: Exception) -> Any:
        until["until"] = self._clock.monotonic() + 60.0
        return self.pause

    def pause(self: gate.MemberGate) -> Any:
        return timedelta(seconds=max(until["until"] - self._clock.monotonic(), 0.0))

    patch.setattr(gate.MemberGate, "failed", failed)
    patch.setattr(gate.MemberGate, "pause", property(pause))


def forget_tombstones_early(patch: pytest.MonkeyPatch) -> None:
    """Dispatch forgets them before the members obeyed."""

    async def settle(self: publisher.WorkPublisher, key: Any, waiting: Any, **_: Any) -> bool:
        for cluster in waiting:
            held = self._log.of(key).get(cluster)
            if held is not None and held.deleted:
                await self._end(key, cluster)
        return True

    patch.setattr(publisher.WorkPublisher, "settle", settle)


def forget_nobody_who_left(patch: pytest.MonkeyPatch) -> None:
    """What was ordered in a member that has left waits for it to obey."""

    async def forget(_self: publisher.WorkPublisher, _key: Any, _cluster: str) -> None:
        return

    patch.setattr(publisher.WorkPublisher, "_forget", forget)


def report_over_others(patch: pytest.MonkeyPatch) -> None:
    """A worker that is late takes the place of what was reported since."""

    async def write(self: status_log.StatusLog, key: Any, report: Any, trace: Any) -> None:
        await self._bus.publish(self._message(key, report, trace))

    patch.setattr(status_log.StatusLog, "write", write)


def mistake_answers_for_silence(patch: pytest.MonkeyPatch) -> None:
    """Health gives a member up that answers everybody."""
    judge, said = verdicts.judge, itertools.count()  # type: ignore[attr-defined]

    def judging(words: Any, panel: Any) -> Any:
        found = judge(words, panel)
        mistaken = words and words[0].cluster == "m1" and next(said) > 6
        if mistaken and found.reach is Reach.REACHABLE:
            return dataclasses.replace(found, reach=Reach.UNREACHABLE)
        return found

    patch.setattr(verdicts, "judge", judging)


FENCED = dataclasses.replace(LENGTH, fenced=True, deeds=35)


def stop_nothing(patch: pytest.MonkeyPatch) -> None:
    """Who cannot renew its lease goes on as before."""

    async def stop_all(_self: fence.Fence) -> None:
        return

    patch.setattr(fence.Fence, "_stop_all", stop_all)
    patch.setattr(Hold, "judge", lambda *_given: Standing.RUN)


def ask_nobody(patch: pytest.MonkeyPatch) -> None:
    """What is to leave begins elsewhere at once."""
    patch.setattr(moves, "awaited", lambda *_given: {})


TRAFFIC = dataclasses.replace(LENGTH, traffic=True)


def keep_what_nobody_exports(patch: pytest.MonkeyPatch) -> None:
    """Imports stay although the last export is gone."""

    carry_out = publishing.OrderPublisher.carry_out

    async def carrying(self: publishing.OrderPublisher, plan: Any, owner: str) -> None:
        await carry_out(self, dataclasses.replace(plan, revoke=()), owner)

    patch.setattr(publishing.OrderPublisher, "carry_out", carrying)


def say_what_was_not_listed(patch: pytest.MonkeyPatch) -> None:
    """A worker that has just begun takes what it has not seen yet for gone."""
    patch.setattr(observer.ExportObserver, "_is_known", lambda *_given: True)


def lead_to_the_lost(patch: pytest.MonkeyPatch) -> None:
    """Traffic hears of no verdict."""
    place_of = exports.place_of  # type: ignore[attr-defined]

    def reached(cluster: Any) -> Any:
        return dataclasses.replace(place_of(cluster), reachable=True)

    patch.setattr(exports, "place_of", reached)


@pytest.mark.parametrize(
    ("defect", "invariant", "first"),
    [
        (keep_what_nobody_exports, invariants.LOSES_NOTHING, 2),
        (say_what_was_not_listed, traffic.WITHDRAWS_BY_WORD, 8),
        (lead_to_the_lost, traffic.LEADS_TO_THE_LIVING, 7),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_defect_of_traffic_is_found(
    monkeypatch: pytest.MonkeyPatch, defect: Defect, invariant: str, first: int
) -> None:
    def harms(seed: int) -> bool:
        with monkeypatch.context() as patch:
            defect(patch)
            return simulate(seed, TRAFFIC).violation.startswith(invariant)

    assert any(harms(seed) for seed in range(first, first + SEEDS))


@pytest.mark.parametrize(("defect", "first"), [(stop_nothing, 1), (ask_nobody, 20)])
def test_a_defect_of_the_fence_is_found(
    monkeypatch: pytest.MonkeyPatch, defect: Defect, first: int
) -> None:
    def harms(seed: int) -> bool:
        with monkeypatch.context() as patch:
            defect(patch)
            return simulate(seed, FENCED).violation.startswith(RUNS_ONCE)

    assert any(harms(seed) for seed in range(first, first + SEEDS))


@pytest.mark.parametrize(
    ("defect", "invariant", "first"),
    [
        (ignore_tombstones, invariants.LOSES_NOTHING, 1),
        (report_before_applying, invariants.TELLS_AGE, 1),
        (compare_no_generations, invariants.LOSES_NOTHING, 3),
        (give_up_what_is_refused, invariants.LOSES_NOTHING, 4),
        (lose_a_replica, invariants.CONSERVES, 1),
        (share_one_gate, invariants.ISOLATES, 1),
        (forget_tombstones_early, invariants.LOSES_NOTHING, 8),
        (forget_nobody_who_left, leaving.LEAVES_FREELY, 8),
        (report_over_others, invariants.TELLS_AGE, 36),
        (mistake_answers_for_silence, evidence.NEEDS_EVIDENCE, 1),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_defect_is_found(
    monkeypatch: pytest.MonkeyPatch, defect: Defect, invariant: str, first: int
) -> None:
    def harms(seed: int) -> bool:
        with monkeypatch.context() as patch:
            defect(patch)
            if not simulate(seed, LENGTH).violation.startswith(invariant):
                return False
        return not simulate(seed, LENGTH).violation

    assert any(harms(seed) for seed in range(first, first + SEEDS))
