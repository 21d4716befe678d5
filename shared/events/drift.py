"""Drift: somebody changed in a member what Hanse holds there.

Subjects: `hanse.events.drift.<what>.<key>`, with the key of `work_facts.fact_key`.
"""

from typing import Literal

import msgspec

from shared.api.drift import DriftedField, DriftReport

__all__ = [
    "DriftContested",
    "DriftCorrected",
    "DriftDetected",
    "DriftFact",
    "DriftSettled",
    "DriftedField",
]

Change = Literal["Edited", "Deleted"]


class DriftFact(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """One object in one member. `since` is when the drift was first seen (RFC 3339).

    `fields` is empty where the whole object was deleted.
    """

    cluster: str
    api_version: str
    kind: str
    resource: str
    namespace: str = ""
    name: str
    generation: int
    change: Change
    fields: tuple[DriftedField, ...] = ()
    since: str = ""
    occurred_at: str = ""


class DriftCorrected(DriftFact, frozen=True, kw_only=True, tag="drift.corrected.v1"):
    """It was put right again."""


class DriftDetected(DriftFact, frozen=True, kw_only=True, tag="drift.detected.v1"):
    """It was seen, and its policy leaves it as it is."""


class DriftContested(DriftFact, frozen=True, kw_only=True, tag="drift.contested.v1"):
    """Somebody keeps undoing the correction; from now on Hanse takes its time with the next."""

    corrections: int = 0


class DriftSettled(DriftFact, frozen=True, kw_only=True, tag="drift.settled.v1"):
    """What was detected or contested is over."""


def describes(report: DriftReport) -> tuple[str, tuple[str, ...]]:
    """What tells one report from another, values and times aside."""
    return report.state, tuple(f"{one.path} {one.actor}" for one in report.fields)
