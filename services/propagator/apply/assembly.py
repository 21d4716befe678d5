"""Putting together what carries out the orders for one member."""

from collections.abc import Callable

from services.propagator.apply.fence import Fence
from services.propagator.apply.gate import MemberGate
from services.propagator.apply.holding.adoptions import Adoptions
from services.propagator.apply.holding.autoscalers import Autoscalers
from services.propagator.apply.holding.corrections import Corrections
from services.propagator.apply.holding.fenced import FencedHolder
from services.propagator.apply.holding.foreign import ForeignObjects
from services.propagator.apply.holding.formers import Formers
from services.propagator.apply.holding.holder import Holder
from services.propagator.apply.objects import Objects
from services.propagator.apply.orders.newest import NewestOrders
from services.propagator.apply.orders.presence import Presence
from services.propagator.apply.orphans import Orphans
from services.propagator.apply.reconciler import ObjectReconciler
from services.propagator.apply.removal.remover import Remover, Watching
from services.propagator.apply.removal.residents import Residents
from services.propagator.apply.reporting.drift_reports import DriftReports
from services.propagator.apply.reporting.outcomes import Outcomes, Settled
from services.propagator.apply.reporting.reporter import Reporter
from services.propagator.apply.reporting.reports import Reports
from services.propagator.apply.retries import RetrySettings
from shared.bus.port import Bus
from shared.clock import Clock
from shared.memberapi.port import MemberApi


def build_reconciler(
    cluster: str,
    *,
    api: MemberApi,
    bus: Bus,
    clock: Clock,
    objects: Objects,
    reporter: Reporter,
    reports: Reports,
    watches: Watching,
    autoscalers: Autoscalers,
    foreign_view: float,
    retries: RetrySettings,
    gate: MemberGate,
    presence: Presence,
    settled: Settled,
    fence: Fence | None,
    membership: Callable[[], str],
) -> ObjectReconciler:
    """*foreign_view*: for how many seconds a look serves; *membership*: the uid of its Cluster."""
    outcomes = Outcomes(cluster, objects, reports, settled, retries)
    newest = NewestOrders(cluster, bus, clock, objects, presence)
    orphans = Orphans(cluster, api, clock, membership)
    holder = _holder(
        cluster,
        api,
        clock,
        foreign=ForeignObjects(api, clock, foreign_view),
        orphans=orphans,
        autoscalers=autoscalers,
        drift=DriftReports(cluster, reporter, clock),
        reports=reports,
        outcomes=outcomes,
    )
    fenced = FencedHolder(
        api=api, holder=holder, fence=fence, clock=clock, reports=reports, outcomes=outcomes
    )
    return ObjectReconciler(
        objects=objects,
        gate=gate,
        newest=newest,
        watches=watches,
        holder=holder,
        fenced=fenced,
        remover=_remover(
            api, objects, watches, newest, reports=reports, outcomes=outcomes, orphans=orphans
        ),
        outcomes=outcomes,
        settled=settled,
    )


def _holder(
    cluster: str,
    api: MemberApi,
    clock: Clock,
    *,
    foreign: ForeignObjects,
    orphans: Orphans,
    autoscalers: Autoscalers,
    drift: DriftReports,
    reports: Reports,
    outcomes: Outcomes,
) -> Holder:
    return Holder(
        api=api,
        foreign=foreign,
        adoptions=Adoptions(cluster, api, clock, foreign, orphans),
        autoscalers=autoscalers,
        corrections=Corrections(cluster, clock, drift),
        reports=reports,
        drift=drift,
        outcomes=outcomes,
        formers=Formers(api, reports),
    )


def _remover(
    api: MemberApi,
    objects: Objects,
    watches: Watching,
    newest: NewestOrders,
    *,
    reports: Reports,
    outcomes: Outcomes,
    orphans: Orphans,
) -> Remover:
    return Remover(
        api=api,
        watches=watches,
        newest=newest,
        residents=Residents(api, objects),
        reports=reports,
        outcomes=outcomes,
        orphans=orphans,
    )
