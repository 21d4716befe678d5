"""Putting together what carries out the orders for one member."""

from services.propagator.apply.fence import Fence
from services.propagator.apply.gate import MemberGate
from services.propagator.apply.holding.adoptions import Adoptions
from services.propagator.apply.holding.autoscalers import Autoscalers
from services.propagator.apply.holding.corrections import Corrections
from services.propagator.apply.holding.fenced import FencedHolder
from services.propagator.apply.holding.foreign import ForeignObjects
from services.propagator.apply.holding.holder import Holder
from services.propagator.apply.objects import Objects
from services.propagator.apply.orders.newest import NewestOrders
from services.propagator.apply.orders.presence import Presence
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
) -> ObjectReconciler:
    """*foreign_view* in seconds: how long one look at the member's own objects serves."""
    outcomes = Outcomes(cluster, objects, reports, settled, retries)
    newest = NewestOrders(cluster, bus, clock, objects, presence)
    drift = DriftReports(cluster, reporter, clock)
    foreign = ForeignObjects(api, clock, foreign_view)
    holder = Holder(
        api=api,
        foreign=foreign,
        adoptions=Adoptions(cluster, api, clock, foreign),
        autoscalers=autoscalers,
        corrections=Corrections(cluster, clock, drift),
        reports=reports,
        drift=drift,
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
        remover=_remover(api, objects, watches, newest, reports=reports, outcomes=outcomes),
        outcomes=outcomes,
        settled=settled,
    )


def _remover(
    api: MemberApi,
    objects: Objects,
    watches: Watching,
    newest: NewestOrders,
    *,
    reports: Reports,
    outcomes: Outcomes,
) -> Remover:
    return Remover(
        api=api,
        watches=watches,
        newest=newest,
        residents=Residents(api, objects),
        reports=reports,
        outcomes=outcomes,
    )
