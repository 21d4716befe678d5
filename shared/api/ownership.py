"""Where Hanse's word ends in a member: the parts of a policy that say who owns what.

They travel unchanged from the policy to the binding and, where anything differs from the default,
to the order that a member's worker carries out (`OwnershipTerms`).
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.meta import Struct


class ReplicaOwnership(Struct, frozen=True, kw_only=True):
    """Who says how many replicas a member runs; what the scheduler decided is where it starts.

    Auto: Hanse, unless a HorizontalPodAutoscaler in the member targets the object.
    Hanse: always the number that was decided.
    Member: whoever changes it there.
    Shared: as Member within `minReplicas` and `maxReplicas`, both of each member; outside of them
    Hanse corrects to the nearer one.
    """

    owner: Annotated[
        Literal["Auto", "Hanse", "Member", "Shared"], Meta(description="Default: Auto.")
    ] = "Auto"
    min_replicas: Annotated[
        int | None, Meta(description="Of each member; with owner Shared only.")
    ] = None
    max_replicas: Annotated[
        int | None, Meta(description="Of each member; with owner Shared only.")
    ] = None

    @property
    def is_shared(self) -> bool:
        return self.owner == "Shared"

    def within(self, replicas: int) -> int:
        """The number nearest to *replicas* that the bounds allow."""
        if self.max_replicas is not None:
            replicas = min(replicas, self.max_replicas)
        return max(replicas, self.min_replicas or 0)


DriftMode = Literal["Correct", "Report", "Ignore"]


class DriftPath(Struct, frozen=True, kw_only=True):
    """`path` is a JSON pointer (RFC 6901) to a field and all below it; `*` is any one step.

    Of several that cover a field the longest counts, of equally long ones the first.
    """

    path: Annotated[
        str, Meta(description="A JSON pointer such as /spec/template/spec/containers/*/resources.")
    ]
    mode: Annotated[DriftMode, Meta(description="Default: Ignore.")] = "Ignore"


class DriftPolicy(Struct, frozen=True, kw_only=True):
    """What happens when somebody in a member changes what Hanse applied there.

    Correct: it is put right. Report: it is left to whoever changed it, and told of. Ignore: it is
    left and not told of. `mode` is for everything that no entry of `paths` covers, and for objects
    that were deleted.
    """

    mode: Annotated[
        DriftMode,
        Meta(
            description="For all that no entry of paths covers, and for objects that were deleted"
            " (default Correct)."
        ),
    ] = "Correct"
    paths: tuple[DriftPath, ...] = ()


AdoptedDeletion = Literal["GiveBack", "Delete"]
"""What becomes of an object that was there before Hanse took it over, when it is revoked."""


class OwnershipTerms(Struct, frozen=True, kw_only=True):
    """Of one object: how far the worker may go."""

    replica_ownership: ReplicaOwnership = ReplicaOwnership()
    drift: DriftPolicy = DriftPolicy()
    adopted_resources_on_deletion: AdoptedDeletion = "GiveBack"

    @property
    def is_lenient(self) -> bool:
        """Whether anything that others change may stay theirs."""
        return self.drift != _STRICT or self.replica_ownership.owner in ("Member", "Shared")


_STRICT = DriftPolicy()
PLAIN = OwnershipTerms()
"""Those of a policy that says nothing of it."""
