"""What must always hold (docs/architecture.md and the design's invariants 1-4, 6, 9).

`Watcher` is told of every write while it happens; `unfinished` says what the end still lacks. What
is expected is worked out from the stores alone, never from what a service believes.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from services.propagator.core.marks import is_managed, work_generation_of
from shared.api.binding import SCHEDULED, BindingSpec, ResourceBinding
from shared.api.conditions import find_condition
from shared.api.meta import GROUP, read
from shared.apimachinery.manifest import (
    Manifest,
    ObjectKey,
    annotations_of,
    decode,
    generation_of,
    uid_of,
)
from shared.bus.memory import MemoryBus
from shared.bus.memory_log import MemoryLog
from shared.bus.port import Message
from shared.bus.topology import HEALTH, STATUS, WORK
from shared.clock import parse_time
from shared.events import subjects
from shared.events.orders import TEMPLATE_UID
from shared.events.work import WorkOrder, WorkReport, decode_order, decode_report, is_end
from shared.store.port import Change, ChangeType, Scope, Stored
from tests.simulation.evidence import Evidence, Tap
from tests.simulation.exclusion import Exclusion
from tests.simulation.history import EVERYWHERE, History
from tests.simulation.leaving import Leaving
from tests.simulation.member import Member
from tests.simulation.objects import Bucket

LOSES_NOTHING = "1 nothing acknowledged is lost"
DELETES_DELIBERATELY = "2 deletes are deliberate"
CONSERVES = "3 replicas are conserved"
ONE_WRITER = "4 a stale writer is refused"
ISOLATES = "6 a sick member delays no other"
TELLS_AGE = "9 status tells its age"

FIGHTS_NOBODY = "orders come to rest"

PROMPT_SECONDS = 12.0
STORM = 15
STORM_SECONDS = 5.0
_BINDINGS = ("resourcebindings", "clusterresourcebindings")
_UNMANAGED = ("", "default", "kube-system", "kube-public", "kube-node-lease")


class Watcher:
    """Implements `Ledger`, and follows the bucket and the streams."""

    def __init__(
        self,
        history: History,
        bucket: Bucket,
        streams: MemoryBus,
        members: Mapping[str, Member],
        disturbed: Callable[[str], float],
    ) -> None:
        """*disturbed*: when anything was last wrong between the hub and that member."""
        self._history = history
        self._bucket = bucket
        self._work: MemoryLog = streams._log(WORK)
        self._status: MemoryLog = streams._log(STATUS)
        self.members = members
        self.disturbed = disturbed
        self._carried_out: dict[tuple[str, ObjectKey], set[int]] = {}
        self._reported: dict[tuple[str, ObjectKey], int] = {}
        self._refused: dict[tuple[str, ObjectKey], float] = {}
        self._tombstones: dict[tuple[str, ObjectKey], int] = {}
        # The last order that may take the place of a deleted template's, and whose it is.
        self._successors: dict[tuple[str, ObjectKey], tuple[int, str]] = {}
        self._ordered_at: dict[tuple[str, ObjectKey], deque[float]] = {}
        # What remained in a member when it left: nobody's to remove.
        self.left_behind: dict[str, set[ObjectKey]] = {}
        self.exclusion = Exclusion(history, members)
        Leaving(history, bucket, self._work, lambda: disturbed(EVERYWHERE))
        bucket.store.mirror.on_change(self._on_change)
        evidence = Evidence(history)
        bucket.store.mirror.on_change(evidence.on_change)
        streams._log(HEALTH)._followers[Tap(evidence.on_word)] = None  # type: ignore[index]
        self._work._followers[Tap(self._on_order)] = None  # type: ignore[index]
        self._status._followers[Tap(self._on_report)] = None  # type: ignore[index]

    # In members, as it takes effect.

    def applied(
        self, cluster: str, key: ObjectKey, before: Stored | None, after: Stored, sent: float
    ) -> None:
        was = work_generation_of(before.manifest) if before is not None else 0
        now = work_generation_of(after.manifest)
        self._carried_out.setdefault((cluster, key), set()).add(now)
        self._refused.pop((cluster, key), None)
        note = f" back from {was}, sent at {sent:.3f}" if now < was else ""
        self._history.note(f"{cluster} holds {_path(key)} as of {now}{note}")

    def stale(self, cluster: str, key: ObjectKey, sent: int, shown: int) -> None:
        """A worker sends order *sent* of an object that it was shown at order *shown*."""
        last = self._work.last(subjects.work(cluster, key))
        if sent < shown and last is not None and last.sequence >= shown:
            self._history.violated(
                ONE_WRITER,
                f"{_path(key)} in {cluster}: order {sent} is sent by one who saw order {shown}",
            )

    def deleted(self, cluster: str, key: ObjectKey, before: Stored | None) -> None:
        self._history.note(f"{cluster} deletes {_path(key)}")
        if before is None:
            return
        if not is_managed(before.manifest):
            self._history.violated(
                DELETES_DELIBERATELY, f"{_path(key)} in {cluster} was not Hanse's to delete"
            )
        generation = work_generation_of(before.manifest)
        tombstone = self._tombstones.get((cluster, key), 0)
        successor, uid = self._successors.get((cluster, key), (0, ""))
        former = uid != annotations_of(before.manifest).get(TEMPLATE_UID)
        if former and successor > generation:
            return
        if tombstone < generation <= self._work.sequence:
            self._history.violated(
                DELETES_DELIBERATELY,
                f"{_path(key)} in {cluster} is as of order {generation}, but was deleted for the "
                f"sake of {tombstone or 'none'}",
            )

    def refused(self, cluster: str, key: ObjectKey, why: str) -> None:
        self._history.note(f"{cluster} refuses {_path(key)}: {why[:120]}")
        self._refused[cluster, key] = asyncio.get_running_loop().time()

    # On NATS, as it is written.

    def _on_order(self, message: Message) -> None:
        cluster, key = subjects.parse_member_subject(message.subject)
        if is_end(message.headers):
            self._history.note(f"order {message.sequence}: {_path(key)} in {cluster} is over")
            return
        order = decode_order(message.body)
        if order.is_tombstone:
            self._tombstones[cluster, key] = message.sequence
        elif order.replaces is True:
            self._successors[cluster, key] = message.sequence, order.template_uid
        self._count_orders(cluster, key)
        what = "is to go" if order.is_tombstone else f"of generation {order.template_generation}"
        self._history.note(f"order {message.sequence}: {_path(key)} in {cluster} {what}")
        loop = asyncio.get_running_loop()
        loop.call_later(PROMPT_SECONDS, self._check_prompt, cluster, key, message, loop.time())

    def _count_orders(self, cluster: str, key: ObjectKey) -> None:
        now = asyncio.get_running_loop().time()
        times = self._ordered_at.setdefault((cluster, key), deque(maxlen=STORM))
        times.append(now)
        if len(times) == STORM and now - times[0] < STORM_SECONDS:
            self._history.violated(
                FIGHTS_NOBODY,
                f"{STORM} orders for {_path(key)} in {cluster} within {now - times[0]:.1f} s",
            )

    def _check_prompt(self, cluster: str, key: ObjectKey, message: Message, ordered: float) -> None:
        """Where all was well with this member meanwhile, it was carried out, or is obsolete."""
        if self.disturbed(cluster) >= ordered - PROMPT_SECONDS:
            return
        last = self._work.last(message.subject)
        if last is None or last.sequence != message.sequence or cluster not in self._fleet():
            return
        if self._refused.get((cluster, key), -1.0) >= ordered - PROMPT_SECONDS:
            return
        report = self._report(cluster, key)
        if report is not None and report.generation == message.sequence and report.reason:
            # Why not has been told.
            return
        order = decode_order(message.body)
        live = self._live(cluster, key)
        if order.is_tombstone:
            done = live is None or not is_managed(live) or is_leaving(live)
        else:
            done = message.sequence in self._carried_out.get((cluster, key), ())
        if not done:
            self._history.violated(
                ISOLATES,
                f"order {message.sequence} for {_path(key)} waits since {ordered:.3f}, though all "
                f"is well with {cluster}",
            )

    def _on_report(self, message: Message) -> None:
        cluster, key = subjects.parse_member_subject(message.subject)
        if not message.body:
            self._history.note(f"report on {_path(key)} in {cluster}: over")
            return
        report = decode_report(message.body)
        where = f"report on {_path(key)} in {cluster}"
        self._history.note(f"{where}: {report.generation} {_outcome(report)}")
        try:
            parse_time(report.observed_time)
        except ValueError:
            self._history.violated(TELLS_AGE, f"{where} does not say when")
        if report.generation < 1 or report.generation > self._work.sequence:
            self._history.violated(TELLS_AGE, f"{where} is of no order: {report.generation}")
        known = self._reported.get((cluster, key), 0)
        if report.generation < known:
            last = self._work.last(subjects.work(cluster, key))
            if last is not None and last.sequence >= known:
                self._history.violated(
                    TELLS_AGE, f"{where}: order {report.generation}, after one of {known}"
                )
        self._reported[cluster, key] = report.generation
        held = report.applied and report.present
        if held and report.generation not in self._carried_out.get((cluster, key), ()):
            self._history.violated(
                TELLS_AGE, f"{where}: order {report.generation} was never carried out"
            )

    def _on_change(self, change: Change) -> None:
        key = change.stored.key
        if key.group == GROUP and key.resource in _BINDINGS:
            if change.type is not ChangeType.DELETED:
                self._check_binding(change)
        elif key.group == GROUP and key.resource == "clusters":
            if change.type is ChangeType.DELETED:
                self._note_leaving(key.name)
            if change.type is not ChangeType.MODIFIED:
                self._history.note(f"cluster {key.name} {change.type.lower()}")
        elif change.type is ChangeType.DELETED or not change.only_status:
            generation = generation_of(change.stored.manifest)
            self._history.note(f"store: {_path(key)} {change.type.lower()} {generation}")

    def _note_leaving(self, cluster: str) -> None:
        member = self.members[cluster]
        self.exclusion.left(cluster)
        held = {one.key for one in member.store.mirror.items() if is_managed(one.manifest)}
        self.left_behind.setdefault(cluster, set()).update(held)

    def _check_binding(self, change: Change) -> None:
        stored = change.stored
        if is_leaving(stored.manifest):
            # It asks for nothing any more.
            return
        binding = read(stored.manifest, ResourceBinding)
        spec = binding.spec
        if change.previous is None or change.previous.manifest.get("spec") != stored.manifest.get(
            "spec"
        ):
            shares = ", ".join(f"{one.name}={one.replicas}" for one in spec.clusters)
            leaving = ", ".join(one.cluster for one in spec.evictions)
            self._history.note(
                f"decision: {_path(spec.resource.key)} {spec.resource.generation} in "
                f"[{shares}] leaving [{leaving}]"
            )
            condition = find_condition(binding.status.conditions, SCHEDULED)
            if condition is not None and condition.status == "True":
                self._check_shares(spec, change.previous)
            elif change.previous is not None:
                self._check_kept(change.previous, spec)
        for report in binding.status.aggregated_status:
            if report.applied and not (report.observed_time and report.template_generation):
                self._history.violated(
                    TELLS_AGE, f"{_path(stored.key)}: {report.cluster} says not of what, or when"
                )

    def _check_shares(self, spec: BindingSpec, previous: Stored | None) -> None:
        """None is missing, and what is above the wish is on its way somewhere, or was before."""
        scheduling = spec.placement.replica_scheduling
        if scheduling is None or scheduling.replica_scheduling_type != "Divided":
            return
        wanted = spec.replicas
        if wanted is None:
            return
        placed = sum(target.replicas or 0 for target in spec.clusters)
        leaving = sum(eviction.replicas or 0 for eviction in spec.evictions)
        moving = sum(target.replicas or 0 for target in spec.clusters if target.since)
        what = f"{_path(spec.resource.key)}: {placed} of {wanted} placed, {leaving} leaving"
        if placed < wanted:
            self._history.violated(CONSERVES, what)
        if placed > wanted + moving + _surge(previous):
            self._history.violated(CONSERVES, f"{what}, {moving} on their way")

    def _check_kept(self, previous: Stored, spec: BindingSpec) -> None:
        """What does not fit keeps what it has, except where a member left."""
        before = read(previous.manifest, ResourceBinding).spec
        kept = {one.name for one in spec.clusters} | {one.cluster for one in spec.evictions}
        lost = {one.name for one in before.clusters} - kept
        lost &= set(self._fleet())
        if lost and before.policy == spec.policy and before.placement == spec.placement:
            self._history.violated(
                CONSERVES, f"{_path(spec.resource.key)} fits nowhere, and leaves {sorted(lost)}"
            )

    # At the end.

    def unfinished(self) -> list[str]:
        """What is not as it should be; empty when everything has come to rest."""
        return [*self._undecided(), *self._unheld()]

    def _undecided(self) -> Iterable[str]:
        """Bindings that are not of the template as it is, and orders that are not of a binding."""
        central = self._bucket.store.mirror
        expected: dict[tuple[str, ObjectKey], int] = {}
        for resource in _BINDINGS:
            for stored in central.items(Scope(GROUP, resource)):
                spec = read(stored.manifest, ResourceBinding).spec
                key = spec.resource.key
                if is_leaving(stored.manifest):
                    yield f"the binding of {_path(key)} is to go, and has not gone"
                    continue
                template = central.get(key)
                if template is None or uid_of(template.manifest) != spec.resource.uid:
                    yield f"the binding of {_path(key)} is of no template"
                    continue
                if generation_of(template.manifest) != spec.resource.generation:
                    yield f"the binding of {_path(key)} is of an old generation"
                names = [one.name for one in spec.clusters]
                names += [one.cluster for one in spec.evictions]
                for name in names:
                    expected[name, key] = spec.resource.generation
        orders = {
            subjects.parse_member_subject(message.subject): order
            for message in self._standing()
            if (order := decode_order(message.body)).is_dispatched
        }
        for (cluster, key), generation in expected.items():
            order = orders.get((cluster, key))
            if order is None or order.is_tombstone:
                yield f"{_path(key)} is not ordered in {cluster}"
            elif order.template_generation != generation:
                yield f"{_path(key)} is ordered in {cluster} as of {order.template_generation}"
        inhabited = {(cluster, key.namespace) for cluster, key in expected}
        for cluster, key in orders:
            if (cluster, key) in expected:
                continue
            follows = key.group_resource == ("", "namespaces") and (cluster, key.name) in inhabited
            if not follows:
                yield f"an order for {_path(key)} in {cluster} is left over"

    def _unheld(self) -> Iterable[str]:
        fleet = self._fleet()
        ordered: dict[str, set[ObjectKey]] = {}
        for message in self._standing():
            cluster, key = subjects.parse_member_subject(message.subject)
            order = decode_order(message.body)
            ordered.setdefault(cluster, set()).add(key)
            if cluster not in fleet:
                yield f"an order for {cluster}, which left, is there: {_path(key)}"
                continue
            yield from self._compare(cluster, key, message.sequence, order)
        for cluster in fleet:
            for stored in self.members[cluster].store.mirror.items():
                beside = stored.key not in ordered.get(cluster, ())
                left = stored.key in self.left_behind.get(cluster, ())
                # Brought back, and robbed of the mark that tells that it is older than its end.
                left = left or (
                    self.members[cluster].restored and not work_generation_of(stored.manifest)
                )
                if beside and not left and is_managed(stored.manifest):
                    yield f"{cluster} holds {_path(stored.key)}, which nobody ordered"

    def _compare(
        self, cluster: str, key: ObjectKey, sequence: int, order: WorkOrder
    ) -> Iterable[str]:
        where = f"{_path(key)} in {cluster}"
        live = self._live(cluster, key)
        report = self._report(cluster, key)
        if order.is_tombstone:
            yield f"the tombstone of {where} is still there"
            return
        if report is None or report.generation != sequence:
            spoken = report.generation if report is not None else "none"
            yield f"{where}: the report is of {spoken}, the order {sequence}"
        if live is not None and not is_managed(live) and order.conflict_resolution == "Abort":
            # Somebody else's; it is to be reported, and left alone.
            if report is not None and report.applied and key.resource != "namespaces":
                yield f"{where} is another's, and reported as applied"
            return
        if live is None:
            yield f"{where} is not there"
            return
        if work_generation_of(live) != sequence:
            yield f"{where} is as of {work_generation_of(live)}, not {sequence}"
            return
        difference = _missing(_wanted(order), live, "")
        if difference and not self._is_scaled(cluster, key, difference):
            yield f"{where} differs at {difference}"
        if report is not None and not report.applied:
            yield f"{where} is reported as not applied: {report.reason} {report.message}"

    def _is_scaled(self, cluster: str, key: ObjectKey, difference: str) -> bool:
        """An autoscaler of the member may have its own mind about replicas."""
        scope = Scope("autoscaling", "horizontalpodautoscalers", key.namespace)
        return difference == ".spec.replicas" and any(
            one.manifest["spec"]["scaleTargetRef"]["name"] == key.name
            for one in self.members[cluster].store.mirror.items(scope)
        )

    # Looking.

    def _fleet(self) -> list[str]:
        scope = Scope(GROUP, "clusters")
        return [one.key.name for one in self._bucket.store.mirror.items(scope)]

    def _live(self, cluster: str, key: ObjectKey) -> Manifest | None:
        stored = self.members[cluster].store.mirror.get(key)
        return stored.manifest if stored is not None else None

    def _standing(self) -> list[Message]:
        """What WORK orders; that something is over is no order."""
        return [one for one in self._work.all(()) if not is_end(one.headers)]

    def _order(self, cluster: str, key: ObjectKey) -> WorkOrder | None:
        message = self._work.last(subjects.work(cluster, key))
        ended = message is None or is_end(message.headers)
        return None if ended or message is None else decode_order(message.body)

    def _report(self, cluster: str, key: ObjectKey) -> WorkReport | None:
        message = self._status.last(subjects.status(cluster, key))
        return decode_report(message.body) if message is not None and message.body else None


def _surge(stored: Stored | None) -> int:
    """By how much a binding was above the wish."""
    if stored is None:
        return 0
    spec = read(stored.manifest, ResourceBinding).spec
    return max(0, sum(target.replicas or 0 for target in spec.clusters) - (spec.replicas or 0))


def is_leaving(manifest: Manifest) -> bool:
    return bool(manifest["metadata"].get("deletionTimestamp"))


def _wanted(order: WorkOrder) -> Manifest:
    wanted: Manifest = decode(bytes(order.manifest))
    wanted["metadata"]["annotations"].pop("hanse.dev/work-generation", None)
    return wanted


def _missing(wanted: Any, live: Any, path: str) -> str:
    """Where *live* lacks something of *wanted*; lists are compared item by item."""
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return path or "."
        for name, value in wanted.items():
            if value in (None, {}, []):
                continue
            found = _missing(value, live.get(name), f"{path}.{name}")
            if found:
                return found
        return ""
    if isinstance(wanted, list):
        if not isinstance(live, list) or len(live) < len(wanted):
            return path
        for index, value in enumerate(wanted):
            found = _missing(value, live[index], f"{path}[{index}]")
            if found:
                return found
        return ""
    return "" if wanted == live else path


def _outcome(report: WorkReport) -> str:
    words = ["applied" if report.applied else "not applied", report.reason, report.health]
    return " ".join(word for word in (*words, "" if report.present else "absent") if word)


def _path(key: ObjectKey) -> str:
    return (
        f"{key.resource} {key.namespace}/{key.name}"
        if key.namespace
        else (f"{key.resource} {key.name}")
    )
