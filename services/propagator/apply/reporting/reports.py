"""What a worker says about each object: reports for STATUS, facts for EVENTS."""

from datetime import datetime
from typing import Any, TypedDict

import msgspec

from services.propagator.apply.objects import TrackedObject
from services.propagator.apply.reporting.reporter import Reporter
from services.propagator.core.finished import is_finished, may_finish
from services.propagator.core.observed import LiveObject, Observed
from services.propagator.core.removing import going_away
from shared.api.binding import Health
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.clock import Clock, format_micro_time
from shared.errors import InvalidObject, MemberRefused
from shared.events.work import FENCED, REMOVING, TERMINATING, WorkReport
from shared.events.work_facts import WorkApplied, WorkRefused, WorkRemoved, WorkStrayed
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.registry import InterpreterSource
from shared.memberapi.faults import shortened
from shared.memberapi.port import ResourceType

MESSAGE_CHARACTERS_MAX = 1_000
UNINTERPRETABLE = "InterpreterFailed"
"""Reason of a report on an object of whose health its interpreter can say nothing."""
DELETED = "Deleted"
"""Reason: gone by somebody else's doing, and left so."""


class Identity(TypedDict):
    """Which object in which member, as every fact says it."""

    cluster: str
    api_version: str
    kind: str
    resource: str
    namespace: str
    name: str


class Reports:
    """Speaks for one member."""

    def __init__(
        self, cluster: str, reporter: Reporter, clock: Clock, interpreters: InterpreterSource
    ) -> None:
        self._cluster = cluster
        self._reporter = reporter
        self._clock = clock
        self._interpreters = interpreters

    def applied(self, tracked: TrackedObject, live: LiveObject, sequence: int) -> None:
        """The member holds what order *sequence* asked for; *live* is its answer."""
        before = tracked.reported
        self.seen(tracked, live)
        if tracked.quiet:
            return
        if before is None or before.generation != sequence or not before.applied:
            fact = WorkApplied(
                **identity_of(self._cluster, tracked),
                occurred_at=format_micro_time(self._clock.now()),
                generation=sequence,
                template_uid=tracked.template_uid,
                template_generation=tracked.template_generation,
            )
            self._reporter.state(tracked.key, fact, str(sequence))

    def seen(self, tracked: TrackedObject, live: LiveObject) -> None:
        """How the applied object does now; judged when it is reported, for most looks never are."""
        if tracked.stilled:
            self.stopped(tracked, live)
            return
        now, sequence, before = self._clock.now(), tracked.sequence, tracked.reported
        if before is None or not _holds(before, sequence):
            self._held(tracked, live, now)
            return

        def report() -> None:
            reported = tracked.reported
            if tracked.sequence == sequence and reported and _holds(reported, sequence):
                self._held(tracked, live, now)

        self._reporter.look(tracked.key, report)

    def _held(self, tracked: TrackedObject, live: LiveObject, seen_at: datetime) -> None:
        assert tracked.kind is not None
        manifest = live.manifest_for_status(tracked.kind.gvk)
        interpreter = self._interpreters.of(manifest)
        health, why = _judge(interpreter, manifest)
        going = going_away(manifest)
        self._report(
            tracked,
            applied=True,
            present=True,
            reason=TERMINATING if going else UNINTERPRETABLE if why else "",
            message=going or why,
            health=health,
            status=interpreter.reflect(manifest),
            observed=seen_at,
        )

    def finished(self, tracked: TrackedObject, live: LiveObject) -> None:
        """The last that was seen of what somebody deleted, where it had run to its end."""
        if tracked.kind is None:
            # Its order has yet to be read, or there is none: nobody is told how it did.
            return
        gvk = tracked.kind.gvk
        if not may_finish(gvk) or tracked.deleted or tracked.applied != tracked.sequence:
            return
        manifest = live.manifest_for_status(gvk)
        status = self._interpreters.of(manifest).reflect(manifest)
        if not is_finished(gvk, status, ending=bool(live.metadata.deletion_timestamp)):
            return
        # Whatever was seen before says less.
        self._reporter.look(tracked.key, lambda: None)
        self._ended(tracked, gvk, status)

    def over(self, tracked: TrackedObject) -> None:
        """It ran to its end and is gone: the last word on it stands, for the order there is now."""
        before = tracked.reported
        assert before is not None, "known to have finished by that"
        assert tracked.kind is not None
        self._ended(tracked, tracked.kind.gvk, before.status)

    def _ended(self, tracked: TrackedObject, gvk: GroupVersionKind, status: dict[str, Any]) -> None:
        """How it did in the end, though it is being deleted, or was."""
        manifest = {"apiVersion": gvk.api_version, "kind": gvk.kind, "status": status}
        health, _ = _judge(self._interpreters.of(manifest), manifest)
        self._report(tracked, applied=True, present=True, health=health, status=status)

    def stopped(self, tracked: TrackedObject, live: LiveObject) -> None:
        """It has no replicas now, whatever the order says: the member may be given up."""
        assert tracked.kind is not None
        manifest = live.manifest_for_status(tracked.kind.gvk)
        self._report(
            tracked,
            applied=False,
            present=True,
            reason=FENCED,
            message="stopped: the lease of the member that it may run under is not held",
            status=self._interpreters.of(manifest).reflect(manifest),
        )

    def removing(self, tracked: TrackedObject, held_up: str = "") -> None:
        """The member agreed to delete it; it is still there, for *held_up* says what."""
        self._report(tracked, applied=False, present=True, reason=REMOVING, message=held_up)

    def removed(self, tracked: TrackedObject, *, preserved: bool, kept_for: str) -> None:
        self._report(tracked, applied=True, present=False)
        if tracked.quiet:
            return
        fact = WorkRemoved(
            **identity_of(self._cluster, tracked),
            occurred_at=format_micro_time(self._clock.now()),
            generation=tracked.sequence,
            template_uid=tracked.template_uid,
            template_generation=tracked.template_generation,
            preserved=preserved,
            kept_for=kept_for,
        )
        self._reporter.state(tracked.key, fact, str(tracked.sequence))

    def strayed(self, tracked: TrackedObject, kind: ResourceType, seen: Observed) -> None:
        """It bears our marks, and nobody here knows why."""
        key = tracked.key
        fact = WorkStrayed(
            cluster=self._cluster,
            api_version=kind.gvk.api_version,
            kind=kind.gvk.kind,
            resource=key.resource,
            namespace=key.namespace,
            name=key.name,
            generation=seen.work_generation,
            template_uid=tracked.template_uid,
            occurred_at=format_micro_time(self._clock.now()),
        )
        self._reporter.state(key, fact, f"strayed/{seen.uid}")

    def refused(self, tracked: TrackedObject, err: MemberRefused) -> None:
        """The member did not take the order; what it took before runs on, and counts."""
        taken = err.reason == "AlreadyExists"
        told = tracked.reported
        before = told if tracked.seen is not None and not taken else None
        message = shortened(str(err), MESSAGE_CHARACTERS_MAX)
        self._report(
            tracked,
            applied=False,
            # Whoever could not look whether there is something to remove says that there is.
            present=tracked.seen is not None or taken or tracked.deleted,
            reason=err.reason,
            message=message,
            health=before.health if before is not None else "Unknown",
            status=before.status if before is not None else None,
        )
        known = (told.generation, told.reason, told.message) if told is not None else None
        if known != (tracked.sequence, err.reason, message):
            self._tell_of_refusal(tracked, err.reason, message)

    def _tell_of_refusal(self, tracked: TrackedObject, reason: str, message: str) -> None:
        now = format_micro_time(self._clock.now())
        fact = WorkRefused(
            **identity_of(self._cluster, tracked),
            occurred_at=now,
            generation=tracked.sequence,
            template_uid=tracked.template_uid,
            template_generation=tracked.template_generation,
            reason=reason,
            message=message,
        )
        self._reporter.state(tracked.key, fact, f"{tracked.sequence}/refused/{now}")

    def still_refused(self, tracked: TrackedObject, live: LiveObject) -> None:
        """How the object does whose newest order the member did not take."""
        before = tracked.reported
        if before is None or before.generation != tracked.sequence or before.applied:
            return
        if not before.reason:
            return
        assert tracked.kind is not None
        manifest = live.manifest_for_status(tracked.kind.gvk)
        interpreter = self._interpreters.of(manifest)
        self._report(
            tracked,
            applied=False,
            present=True,
            reason=before.reason,
            message=before.message,
            health=_judge(interpreter, manifest)[0],
            status=interpreter.reflect(manifest),
        )

    def deleted(self, tracked: TrackedObject) -> None:
        """It was deleted in the member, and its policy leaves that as it is."""
        message = "deleted in the member; its policy does not have it brought back"
        self._report(tracked, applied=False, present=False, reason=DELETED, message=message)

    def _report(
        self,
        tracked: TrackedObject,
        *,
        applied: bool,
        present: bool,
        reason: str = "",
        message: str = "",
        health: Health = "Unknown",
        status: dict[str, Any] | None = None,
        observed: datetime | None = None,
    ) -> None:
        seen = tracked.seen
        self._reporter.report(
            tracked,
            WorkReport(
                generation=tracked.sequence,
                template_uid=tracked.template_uid,
                template_generation=tracked.template_generation,
                applied=applied,
                present=present,
                observed_time=format_micro_time(observed or self._clock.now()),
                reason=reason,
                message=message,
                health=health,
                status=status or {},
                uid=seen.uid if seen is not None else "",
                resource_version=seen.resource_version if seen is not None else "",
                fields_digest=tracked.baseline,
                replicas_owner="Member" if tracked.delegated else "Hanse",
                drift=tracked.standing or msgspec.UNSET,
                since=tracked.since if tracked.rested else msgspec.UNSET,
            ),
        )


def _judge(interpreter: Interpreter, manifest: Manifest) -> tuple[Health, str]:
    """Return how the object does; Unknown and why, where its interpreter cannot tell."""
    try:
        return interpreter.health(manifest), ""
    except InvalidObject as err:
        return "Unknown", shortened(str(err), MESSAGE_CHARACTERS_MAX)


def identity_of(cluster: str, tracked: TrackedObject) -> Identity:
    assert tracked.kind is not None
    return {
        "cluster": cluster,
        "api_version": tracked.kind.gvk.api_version,
        "kind": tracked.kind.gvk.kind,
        "resource": tracked.key.resource,
        "namespace": tracked.key.namespace,
        "name": tracked.key.name,
    }


def _holds(report: WorkReport, sequence: int) -> bool:
    """Whether it says that order *sequence* was carried out, and its object is there."""
    return report.generation == sequence and report.applied and report.present
