"""What keeps replicas out of a cluster for a while, as a binding remembers it."""

from typing import Literal

from shared.api.meta import Struct


class Ceiling(Struct, frozen=True, kw_only=True):
    """Of an object: so many replicas at most in *cluster*. Times are RFC 3339.

    Unschedulable: more found no node there, `times` so far; until `until`. Preempted: `gave` others
    gave way to `preemptor`, a binding, until there is room for them again, and for as long as until
    `until`, before which it need not give way again.
    """

    cluster: str
    replicas: int
    reason: Literal["Unschedulable", "Preempted"]
    message: str = ""
    since: str
    until: str = ""
    times: int = 1
    preemptor: str = ""
    gave: int = 0
