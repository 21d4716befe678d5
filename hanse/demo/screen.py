"""What a person sees of the demo: steps as they happen, and the table of who runs what."""

from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table

from hanse.demo.holdings import Held
from shared.apimachinery.manifest import Manifest

_WORKLOADS = {"Deployment", "StatefulSet", "DaemonSet", "Job"}


class Screen:
    """Prints for people; `quiet` prints nothing (for `--json`)."""

    def __init__(self, *, quiet: bool) -> None:
        self._console = Console(quiet=quiet, highlight=False)

    def step(self, text: str) -> None:
        self._console.print(f"\n[bold cyan]>[/] [bold]{text}[/]")

    def progress(self, text: str) -> None:
        self._console.print(f"  {text}")

    def check(self, name: str, problems: Iterable[str]) -> None:
        found = list(problems)
        if not found:
            self._console.print(f"  [green]✓[/] {name}")
            return
        self._console.print(f"  [red]✗[/] {name}")
        for problem in found[:20]:
            self._console.print(f"      [red]{problem}[/]")

    def who_runs_what(self, clusters: list[str], found: Mapping[Held, Manifest]) -> None:
        """One row per object, one column per member; workloads show ready/replicas."""
        table = Table(title="Who runs what, as the members say", title_justify="left")
        for column in ("object", *clusters):
            table.add_column(column)
        objects = sorted({(held.kind, held.namespace, held.name) for held in found})
        objects.sort(key=lambda each: (each[0] not in _WORKLOADS, each))
        by_place = {
            (held.kind, held.namespace, held.name, held.cluster): manifest
            for held, manifest in found.items()
        }
        for each in objects:
            cells = [_cell(each[0], by_place.get((*each, cluster))) for cluster in clusters]
            table.add_row(f"{each[0]} {each[1] + '/' if each[1] else ''}{each[2]}", *cells)
        self._console.print(table)


def _cell(kind: str, manifest: Manifest | None) -> str:
    if manifest is None:
        return "-"
    spec, status = manifest.get("spec") or {}, manifest.get("status") or {}
    if kind in ("Deployment", "StatefulSet"):
        return f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)} ready"
    if kind == "DaemonSet":
        return f"{status.get('numberReady', 0)}/{status.get('desiredNumberScheduled', 0)} ready"
    if kind == "Job":
        return "complete" if status.get("succeeded") else "running"
    return "yes"
