"""Rollouts and revisions for people: a few lines and two tables."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import yaml

from shared.api.meta import section
from shared.api.revision import ResourceRevision
from shared.api.rollout import ResourceRollout, RolloutStatus
from shared.apimachinery.manifest import annotations_of
from shared.clock import parse_time

CHANGE_CAUSE = "kubernetes.io/change-cause"
"""Annotation: why a template was changed, as `kubectl rollout history` shows it."""


def as_status(subject: str, rollout: ResourceRollout, now: datetime) -> str:
    """Where it stands, stage by stage and cluster by cluster."""
    return "".join(f"{line}\n" for line in _status_lines(subject, rollout, now))


def _status_lines(subject: str, rollout: ResourceRollout, now: datetime) -> Iterator[str]:
    status = rollout.status
    yield f"{subject}: {status.phase} for {_age(status.since, now)}: {status.message}"
    yield f"target revision {status.target_revision}, complete {_number(status.complete_revision)}"
    if status.stages:
        yield ""
        rows = [
            (one.name, one.state, f"{one.updated}/{one.clusters}", str(one.failed))
            for one in status.stages
        ]
        yield from _table(("STAGE", "STATE", "UPDATED", "FAILED"), rows)
    if status.clusters:
        yield ""
        lines = [
            (
                one.name,
                one.stage,
                _number(one.revision),
                one.state,
                _age(one.since, now),
                one.message,
            )
            for one in status.clusters
        ]
        yield from _table(("CLUSTER", "STAGE", "REVISION", "STATE", "FOR", "MESSAGE"), lines)


def as_history(
    revisions: Mapping[int, ResourceRevision], status: RolloutStatus, now: datetime
) -> str:
    """The revisions that are kept, one a line."""
    rows = []
    for number, one in revisions.items():
        held = [each.name for each in status.clusters if each.revision == number]
        marks = [
            word
            for word, marked in (
                ("target", status.target_revision),
                ("complete", status.complete_revision),
                ("previous", status.previous_revision),
            )
            if marked == number
        ]
        rows.append(
            (
                str(number),
                _age(one.metadata.creation_timestamp or "", now),
                ",".join(marks) or "-",
                ",".join(held) or "-",
                ",".join(each.name for each in one.spec.overrides) or "-",
                annotations_of(one.spec.template).get(CHANGE_CAUSE, ""),
            )
        )
    head = ("REVISION", "AGE", "IS", "HELD BY", "OVERRIDES", "CHANGE-CAUSE")
    return "".join(f"{line}\n" for line in _table(head, rows))


def as_revision(revision: ResourceRevision) -> str:
    """What one revision says: the template, and the overrides after it."""
    documents = [revision.spec.template, *(section(one) for one in revision.spec.overrides)]
    return "".join(
        "---\n" + yaml.dump(one, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False)
        for one in documents
    )


def _number(revision: int) -> str:
    return str(revision) if revision else "-"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        yield "  ".join(cells).rstrip()


def _age(moment: str, now: datetime) -> str:
    try:
        passed = now - parse_time(moment)
    except ValueError:
        return "-"
    seconds = max(int(passed / timedelta(seconds=1)), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
