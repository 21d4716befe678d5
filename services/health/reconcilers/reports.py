"""What members report, as the log STATUS has it."""

from collections.abc import Callable, Mapping

import msgspec
import structlog

from shared.apimachinery.manifest import ObjectKey
from shared.bus import topology
from shared.bus.port import Bus, CaughtUp, Message
from shared.events import subjects
from shared.events.work import WorkReport, decode_report
from shared.telemetry.propagation import TRACEPARENT

log = structlog.get_logger("hanse.health")


class ReportTable:
    """The last report of every member on every template, as the log STATUS has it."""

    def __init__(self) -> None:
        self._reports: dict[ObjectKey, dict[str, WorkReport]] = {}
        self._traces: dict[ObjectKey, Mapping[str, str]] = {}

    def put(
        self,
        template: ObjectKey,
        cluster: str,
        report: WorkReport,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep *report* unless a later order was reported on; *headers* carry its trace."""
        known = self._reports.get(template, {}).get(cluster)
        if known is not None and known.generation > report.generation:
            return
        if headers and TRACEPARENT in headers:
            self._traces[template] = headers
        if report.is_removed:
            # There is nothing to report on any more.
            self.drop(template, cluster)
        else:
            self._reports.setdefault(template, {})[cluster] = report

    def drop(self, template: ObjectKey, cluster: str) -> None:
        reports = self._reports.get(template, {})
        reports.pop(cluster, None)
        if not reports:
            self._reports.pop(template, None)

    def places(self) -> list[tuple[ObjectKey, str]]:
        """Every template with each cluster that reported on it."""
        return [(template, one) for template, found in self._reports.items() for one in found]

    def of(self, template: ObjectKey) -> dict[str, WorkReport]:
        return self._reports.get(template, {})

    def take_trace(self, template: ObjectKey) -> Mapping[str, str]:
        """Return the headers of the newest report since the last time, for its trace."""
        return self._traces.pop(template, {})


class ReportFollower:
    """Keeps the table and wakes the templates that were reported on."""

    def __init__(self, bus: Bus, table: ReportTable, wake: Callable[[ObjectKey], None]) -> None:
        self._bus = bus
        self._table = table
        self._wake = wake

    async def run(self, caught_up: Callable[[], None]) -> None:
        """Follow STATUS until cancelled; *caught_up* is called once all of it has been read."""
        async with self._bus.follow(topology.STATUS, [f"{subjects.STATUS}.>"]) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    self._forget_beside(message)
                    caught_up()
                else:
                    self._note(message)

    def _note(self, message: Message) -> None:
        try:
            cluster, template = subjects.parse_member_subject(message.subject)
            report = decode_report(message.body) if message.body else None
        except (ValueError, msgspec.DecodeError) as err:
            log.warning("report.malformed", subject=message.subject, error=str(err))
            return
        if report is None:
            if cluster not in self._table.of(template):
                return
            self._table.drop(template, cluster)
        elif report.is_dispatched:
            self._table.put(template, cluster, report, message.headers)
        else:
            return
        self._wake(template)

    def _forget_beside(self, caught_up: CaughtUp) -> None:
        """Drop what ended while nobody listened, and whose end expired meanwhile."""
        if caught_up.shown is None:
            return
        for template, cluster in self._table.places():
            if subjects.status(cluster, template) not in caught_up.shown:
                self._table.drop(template, cluster)
                self._wake(template)
