"""Drift: somebody changed in a member what Hanse holds there.

Subject: `hanse.events.drift.corrected.<key>`, with the key of `work_facts.fact_key`.
"""

from typing import Literal

import msgspec


class DriftedField(msgspec.Struct, frozen=True, kw_only=True):
    """`path` as `.spec.replicas`; `actor` is the field manager that took it."""

    path: str
    actor: str = ""


class DriftCorrected(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="drift.corrected.v1"
):
    """It was put right again. `fields` is empty where a field, or the object, was removed."""

    cluster: str
    api_version: str
    kind: str
    resource: str
    namespace: str = ""
    name: str
    generation: int
    change: Literal["Edited", "Deleted"]
    fields: tuple[DriftedField, ...] = ()
    occurred_at: str = ""
