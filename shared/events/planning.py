"""What would happen if: the request `hanse.api.plan` and its answer.

Nothing is written by asking. The answer comes from the scheduler, by the function that decides,
over the fleet and the bindings of this moment and what is supposed to change.
"""

import msgspec

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.events.placement import PlacedShare


class SupposedTemplate(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    """A template as it would be, by its resource (`deployments`)."""

    resource: str
    namespace: str = ""
    manifest: Manifest


class SupposedAbsence(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    """A policy, a group of clusters, a quota or a template that would be deleted."""

    group: str = ""
    resource: str
    namespace: str = ""
    name: str

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.group, self.resource, self.namespace, self.name)


class SupposedPrice(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a cluster would cost, as in `spec.price` of a Cluster; None: as it is."""

    cpu: str | None = None
    memory: str | None = None
    gpu: str | None = None


class PlanRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What is supposed to be otherwise; without `namespace` all namespaces are looked at.

    `objects` are policies, clusters, groups of clusters and quotas. They and `templates` stand in
    for those of the same name, or are new; `without` are deleted. `lose` names clusters that are
    gone, with all that runs there. A cluster that is new counts as joined and ready, with the room
    that its status tells. `prices` are by cluster. After `seconds_max`, ten at most, what was found
    by then is the answer.
    `optimise`: what is under policies that ask for it is placed together, as if that were asked.
    `only_templates`: no templates are decided but `templates`, and who gives way to them.
    """

    objects: tuple[Manifest, ...] = ()
    templates: tuple[SupposedTemplate, ...] = ()
    lose: tuple[str, ...] = ()
    namespace: str = ""
    prices: dict[str, SupposedPrice] = {}
    seconds_max: float = 10.0
    optimise: bool = False
    without: tuple[SupposedAbsence, ...] = ()
    only_templates: bool = False


class PlannedDisplacement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """So many replicas of another template, of a lower priority, that give way in a cluster."""

    kind: str
    namespace: str = ""
    name: str
    cluster: str
    replicas: int
    priority: int = 0


class PlannedChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One template that would be elsewhere, or has no place as it is asked for.

    `before` and `after` are shares when all has settled; `fits` says whether it has its place then,
    `fitted` whether it has today. `moved` replicas stop in one cluster and start in another;
    `interrupted` of them stop before others run. What is whole in a cluster counts as all replicas,
    and what has no replicas as none. Costs are per hour. `displaces` is who gives way to it, being
    of a lower `priority`.
    """

    kind: str
    namespace: str = ""
    name: str
    policy: str = ""
    replicas: int | None = None
    before: tuple[PlacedShare, ...] = ()
    after: tuple[PlacedShare, ...] = ()
    fits: bool = True
    fitted: bool = True
    reason: str = ""
    message: str = ""
    moved: int = 0
    interrupted: int = 0
    cost_before: float = 0.0
    cost_after: float = 0.0
    priority: int = 0
    displaces: tuple[PlannedDisplacement, ...] = ()
    notes: tuple[str, ...] = ()
    """What else there is to say of it, in clauses."""


class Plan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`examined` templates were decided anew, of `templates` there are; fewer where time ran out.

    `interrupted` is the upper bound of the replicas that stop before others run in their place.
    Costs are per hour, of all templates that were examined, moving or not: today's shares by the
    prices of today, and those there would be by the prices that are supposed. `unpriced` replicas
    would be in clusters of which no price is known.
    """

    api_version: str = "hanse.dev/v1alpha1"
    kind: str = "Plan"
    templates: int = 0
    examined: int = 0
    changes: tuple[PlannedChange, ...] = ()
    moved: int = 0
    interrupted: int = 0
    unplaced: int = 0
    """Templates that have their place today and would have none as they ask for, or no policy that
    selects them any more."""
    revision: int = 0
    message: str = ""
    cost_before: float = 0.0
    cost_after: float = 0.0
    unpriced: int = 0
