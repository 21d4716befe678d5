"""Folding: the reports of all members on one template become its binding's status and its own.

Keys are templates. Reports come in bursts (every replica that starts is one), so a template waits a
moment for more before it is folded. Nothing is folded before the whole log STATUS has been read:
not having seen a report is not the same as there being none.
"""

from collections.abc import Callable, Iterable
from typing import Any

import structlog
from opentelemetry import trace

from services.health.core.bound import (
    is_moving,
    is_reported_on,
    is_settled,
    targets_of,
    template_of,
)
from services.health.core.cluster_status import is_silent
from services.health.core.fold import (
    NOTHING,
    Folded,
    binding_status,
    evident,
    fold,
    same_but_for_times,
    template_status,
)
from services.health.core.removing import held_up, with_removing
from services.health.core.stranded import with_unschedulable
from services.health.core.unhealthy import with_unhealthy
from services.health.reconcilers.carriers import POLICIES, Carriers
from services.health.reconcilers.pace import Pace
from services.health.reconcilers.reports import ReportTable
from services.health.reconcilers.standings import CLUSTERS
from services.health.reconcilers.stranding import Stranding
from shared.api.binding import ResourceBinding
from shared.api.cluster import Cluster
from shared.api.meta import GROUP, read, section
from shared.apimachinery.manifest import GroupResource, ObjectKey, uid_of
from shared.clock import Clock, format_time
from shared.controller.result import Done, Result
from shared.errors import InvalidObject
from shared.interpreter.registry import InterpreterSource
from shared.store.port import Change, ChangeType, Mirror, ObjectStore, Scope, Stored
from shared.telemetry.propagation import TRACEPARENT, extract

log = structlog.get_logger("hanse.health")
tracer = trace.get_tracer("hanse.health")

_FAILURES = b'"overrideFailures"'
BINDINGS = (
    Scope.of(GroupResource(GROUP, "resourcebindings")),
    Scope.of(GroupResource(GROUP, "clusterresourcebindings")),
)


def fails_otherwise(change: Change) -> bool:
    """Whether dispatch says something else of overrides that failed than before."""
    before = change.previous
    told = _FAILURES in change.stored.encoded or (before and _FAILURES in before.encoded)
    return bool(told) and _failures_of(change.stored) != _failures_of(before)


def _failures_of(stored: Stored | None) -> Any:
    return (stored.manifest.get("status") or {}).get("overrideFailures") if stored else None


class BindingIndex:
    """Finds the binding of a template, and wakes templates; follows the mirror."""

    def __init__(self, mirror: Mirror, reports: ReportTable, pace: Pace) -> None:
        self._mirror = mirror
        self._reports = reports
        self._pace = pace
        self._carriers = Carriers(mirror)
        self._bindings: dict[ObjectKey, ObjectKey] = {}
        self._silent: dict[str, bool] = {}

    def start(self) -> Callable[[], None]:
        """Take what there is and follow; returns the way to stop."""
        stop = self._mirror.on_change(self._note)
        for scope in (CLUSTERS, *BINDINGS):
            for stored in list(self._mirror.items(scope)):
                self._note(Change(ChangeType.ADDED, stored))
        return stop

    def binding_of(self, template: ObjectKey) -> Stored | None:
        key = self._bindings.get(template)
        return self._mirror.get(key) if key is not None else None

    def templates(self) -> Iterable[ObjectKey]:
        return list(self._bindings)

    def is_silent(self, cluster: str) -> bool:
        """Tell whether nobody reaches that cluster; one that has left is silent too."""
        return self._silent.get(cluster, True)

    def away(self, template: ObjectKey) -> set[str]:
        """The members that reported on *template*, are silent now, and have not left."""
        return {name for name in self._reports.of(template) if self._is_away(name)}

    def _is_away(self, cluster: str) -> bool:
        key = ObjectKey(GROUP, "clusters", "", cluster)
        return self._silent.get(cluster, False) and self._mirror.get(key) is not None

    def _note(self, change: Change) -> None:
        key = change.stored.key
        if CLUSTERS.covers(key):
            self._note_cluster(change)
        elif any(scope.covers(key) for scope in BINDINGS):
            self._note_binding(change)
        elif POLICIES.covers(key):
            for template in self._carriers.concerned(change):
                if template in self._bindings:
                    self.news(template)

    def _note_binding(self, change: Change) -> None:
        if change.only_status:
            # Mostly our own word, come back.
            template = template_of(change.stored.manifest) if fails_otherwise(change) else None
            if template is not None:
                self.news(template)
            return
        key, manifest = change.stored.key, change.stored.manifest
        template = template_of(manifest)
        if template is None:
            return
        if change.type is ChangeType.DELETED:
            if self._bindings.get(template) == key:
                del self._bindings[template]
            self._pace.wake_soon(template)
            return
        self._bindings[template] = key
        reports = self._reports.of(template)
        if (
            targets_of(manifest)
            and not is_moving(manifest)
            and not is_reported_on(manifest, reports)
        ):
            self._pace.wake_late(template)
        else:
            self.news(template)

    def news(self, template: ObjectKey) -> None:
        """Wake *template*: a member reported on it, or fell silent, or it is time to look."""
        stored = self.binding_of(template)
        if stored is None or is_moving(stored.manifest):
            self._pace.wake_soon(template)
        else:
            settled = is_settled(stored.manifest, self._reports.of(template))
            self._pace.wake(template, settled=settled)

    def _note_cluster(self, change: Change) -> None:
        name = change.stored.key.name
        silent = True
        if change.type is not ChangeType.DELETED:
            try:
                silent = is_silent(read(change.stored.manifest, Cluster).status)
            except InvalidObject:
                silent = False
        if self._silent.get(name) is silent and change.type is not ChangeType.DELETED:
            return
        self._silent[name] = silent
        # To find the name in its JSON is a tenth of reading a binding, and there may be thousands.
        word = f'"{name}"'.encode()
        for template, binding in self._bindings.items():
            stored = self._mirror.get(binding)
            if stored is None:
                continue
            if name in self._reports.of(template) or (
                word in stored.encoded and name in targets_of(stored.glance())
            ):
                self.news(template)


_Summed = tuple[tuple[Stored, dict[str, Any]] | None, str]


class StatusReconciler:
    """Writes the status of one template's binding, and of the template itself."""

    def __init__(
        self,
        store: ObjectStore,
        index: BindingIndex,
        reports: ReportTable,
        pace: Pace,
        clock: Clock,
        *,
        interpreters: InterpreterSource,
        stranding: Stranding,
    ) -> None:
        self._store = store
        self._index = index
        self._stranding = stranding
        self._reports = reports
        self._pace = pace
        self._clock = clock
        self._interpreters = interpreters
        self._carriers = Carriers(store.mirror)

    async def reconcile(self, key: ObjectKey) -> Result:
        self._pace.looked(key)
        headers = self._reports.take_trace(key)
        if not headers.get(TRACEPARENT, "").endswith("01"):
            return await self._fold(key)
        # The trace that began at the gateway ends where its effect becomes visible there.
        with tracer.start_as_current_span("fold", context=extract(headers)):
            return await self._fold(key)

    async def _fold(self, key: ObjectKey) -> Result:
        stored = self._index.binding_of(key)
        if stored is None:
            await self._write_sum(self._sum(key, None, NOTHING)[0])
            return Done()
        binding = read(stored.manifest, ResourceBinding)
        if binding.metadata.deletion_timestamp is not None:
            await self._write_farewell(key, stored, binding)
            await self._write_sum(self._sum(key, None, NOTHING)[0])
            return Done()
        silent = {name for name in targets_of(stored.manifest) if self._index.is_silent(name)}
        silent |= self._index.away(key)
        folded = fold(binding, self._reports.of(key), silent)
        folded = with_unhealthy(folded, binding, now=format_time(self._clock.now()))
        if binding.spec.auto_migration is not None:
            folded = with_unschedulable(folded, binding, self._stranding.of(key))
        summed, trouble = self._sum(key, binding, folded)
        written = await self._write_binding(stored, binding, folded, trouble)
        written = await self._write_sum(summed) or written
        if written:
            self._pace.wrote(key)
        return Done()

    async def _write_farewell(
        self, key: ObjectKey, stored: Stored, binding: ResourceBinding
    ) -> None:
        """Say of a binding that goes what holds it, and nothing else: most are gone at once."""
        conditions = with_removing(
            binding.status.conditions,
            held_up(self._reports.of(key), silent=self._index.away(key)),
            generation=binding.metadata.generation,
            now=format_time(self._clock.now()),
        )
        if conditions != binding.status.conditions:
            status = stored.manifest.get("status") or {}
            await self._write(stored, {**status, "conditions": section(tuple(conditions))})

    async def _write_binding(
        self, stored: Stored, binding: ResourceBinding, folded: Folded, trouble: str
    ) -> bool:
        now = format_time(self._clock.now())
        present = binding.status.conditions
        status = binding_status(binding, folded, present, now=now, trouble=trouble)
        told = evident(binding, binding.status.aggregated_status)
        news = evident(binding, status.aggregated_status) != told
        return await self._write(stored, section(status), news=news)

    def _sum(self, key: ObjectKey, binding: ResourceBinding | None, folded: Folded) -> _Summed:
        """Return the template with its new status, if it is to have one; or why it cannot."""
        stored = self._store.mirror.get(key)
        if stored is None:
            return None, ""
        manifest = stored.manifest
        if binding is None and "status" not in manifest:
            return None, ""
        if binding is not None and binding.spec.resource.uid not in ("", uid_of(manifest)):
            # The binding is of a template of that name which is gone.
            return None, ""
        folded = self._carriers.without_idle(key, manifest, folded)
        try:
            status = template_status(manifest, binding, folded, self._interpreters.of(manifest))
        except InvalidObject as err:
            # Its interpreter failed: the status stays as it is, and the binding says why.
            return None, str(err)
        return ((stored, status) if status is not None else None), ""

    async def _write_sum(self, summed: tuple[Stored, dict[str, Any]] | None) -> bool:
        """Return whether there was something to write."""
        return summed is not None and await self._write(*summed)

    async def _write(self, stored: Stored, status: dict[str, Any], *, news: bool = False) -> bool:
        if same_but_for_times(stored.manifest.get("status") or {}, status) and not news:
            return False
        # Straight to the store: a status has no generation to raise, and all else stays as it is.
        await self._store.update(
            stored.key, {**stored.manifest, "status": status}, expected=stored.revision
        )
        return True
