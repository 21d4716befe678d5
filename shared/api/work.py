"""`Work` and `ClusterWork`: a read-only view of what a member must hold, and holds.

Not stored: the gateway makes it from the streams WORK and STATUS. Its name is
`<cluster>.<binding name>`, its namespace the object's.
"""

from typing import Any

from shared.api.binding import Health, ObjectReference
from shared.api.meta import Condition, Kind, Struct


class WorkSpec(Struct, frozen=True, kw_only=True):
    """`manifest` is what the member must hold; absent when it must hold nothing (`deleted`)."""

    cluster: str
    resource: ObjectReference
    deleted: bool = False
    manifest: dict[str, Any] | None = None


class WorkStatus(Struct, frozen=True, kw_only=True):
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()
    health: Health = "Unknown"
    observed_time: str | None = None


class Work(Kind, frozen=True, kw_only=True):
    kind: str = "Work"
    spec: WorkSpec
    status: WorkStatus = WorkStatus()
