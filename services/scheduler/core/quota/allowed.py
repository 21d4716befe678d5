"""How many replicas a limit allows one workload."""

from dataclasses import dataclass

from services.scheduler.core.decision import Rejection, RejectionCode


@dataclass(frozen=True, slots=True)
class Allowance:
    """So many replicas at most in *clusters* (None: all) together, by the limit *name*."""

    name: str
    clusters: frozenset[str] | None
    most: int

    @property
    def why(self) -> Rejection:
        return Rejection(RejectionCode.QUOTA_EXCEEDED, f"{self.name} leaves no room for more")

    def covers(self, name: str) -> bool:
        return self.clusters is None or name in self.clusters
