"""What all members report about one template, as the rules that add statuses up see it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from shared.api.binding import ClusterReport
from shared.apimachinery.manifest import Manifest, generation_of
from shared.interpreter.health import count
from shared.interpreter.paths import value_at
from shared.interpreter.reflect import GENERATION

Status = dict[str, Any]

# What a silent member is not believed, and what a leaving one has nothing of.
_READY = frozenset({"readyReplicas", "availableReplicas", "numberReady", "numberAvailable"})
_READY_TOO = frozenset({"currentHealthy", "disruptionsAllowed", "ready"})
_UPDATED = frozenset({"updatedReplicas", "updatedNumberScheduled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reports:
    """The reports of one template, each target with one, and what is known of their members."""

    template: Manifest
    decided_generation: int
    targets: tuple[ClusterReport, ...]
    leaving: tuple[ClusterReport, ...]
    silent: frozenset[str]

    @property
    def all(self) -> tuple[ClusterReport, ...]:
        return self.targets + self.leaving

    @property
    def statuses(self) -> list[Status]:
        return [report.status for report in self.all if report.status]

    def total(self, name: str) -> int:
        """Sum the count *name* over the members, believing the silent and leaving only so far."""
        found = 0
        for report in self.targets:
            if report.cluster in self.silent and name in _READY | _READY_TOO:
                continue
            found += count(report.status, name)
        if name not in _UPDATED:
            found += sum(count(report.status, name) for report in self.leaving)
        return found

    def total_at(self, path: Sequence[str]) -> int | float | None:
        """Sum the numbers at *path* as `total` does; None where no member reports any."""
        if len(path) == 1 and any(path[0] in each for each in self.statuses):
            return self.total(path[0])
        found = [value_at(each, path) for each in self.statuses]
        numbers = [one for one in found if isinstance(one, int | float)]
        return sum(numbers) if numbers else None

    def totals(self, *names: str, keep_zero: bool = True) -> Status:
        sums = {name: self.total(name) for name in names}
        return {name: value for name, value in sums.items() if value or keep_zero}

    @property
    def observed_generation(self) -> int:
        """The newest template generation that every target has applied and looked at."""
        observed = self.decided_generation
        for report in self.targets:
            current = (
                report.applied
                and GENERATION in report.status
                and count(report.status, "observedGeneration") >= report.status[GENERATION]
            )
            observed = min(observed, report.template_generation - (0 if current else 1))
        return max(observed, 0)


def gather_reports(
    template: Manifest,
    reports: Sequence[ClusterReport],
    *,
    decided_generation: int | None = None,
    leaving: Collection[str] = (),
    silent: Collection[str] = (),
) -> Reports:
    """Put together what the members say of *template*.

    There is one report for each target, an empty one (`ClusterReport(cluster=...)`) where nothing
    has been heard. *decided_generation* is that of the template for which the targets were chosen
    (None: the present one). *leaving* names the reports of shares being evicted; *silent* the
    clusters nobody reaches.
    """
    generation = generation_of(template)
    ordered = sorted(reports, key=lambda report: report.cluster)
    return Reports(
        template=template,
        decided_generation=(
            generation if decided_generation is None else min(decided_generation, generation)
        ),
        targets=tuple(report for report in ordered if report.cluster not in leaving),
        leaving=tuple(
            report
            for report in ordered
            if report.cluster in leaving and report.cluster not in silent
        ),
        silent=frozenset(silent),
    )
