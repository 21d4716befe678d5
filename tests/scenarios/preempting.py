"""The part of a scenario that is about who gives way to whom."""

from dataclasses import replace

from services.scheduler.core.circumstances import Circumstances, Demotion
from services.scheduler.core.decision import Unschedulable
from services.scheduler.core.preemption.choosing import Tenant, displacing, may_preempt, preempt
from services.scheduler.core.preemption.rank import Rank
from services.scheduler.core.room import ask_of
from services.scheduler.core.schedule import schedule
from shared.api.binding import ObjectReference
from shared.interpreter.replicas import ReplicaDemand


def decide(workload, fleet, now, scenario):
    """Decide, and have `tenants` give way where the `priority` of the workload allows it."""
    stated = scenario.get("priority", {})
    rank = Rank(stated.get("value", 0), stated.get("preempts", True))
    if demotions := scenario.get("demotions"):
        about = workload.circumstances or Circumstances()
        told = tuple(
            Demotion(since="2026-03-01T11:59:59Z", preemptor="web", message="why", **one)
            for one in demotions
        )
        workload = replace(workload, circumstances=replace(about, demotions=told))
    decision = schedule(workload, fleet, now)
    if not isinstance(decision, Unschedulable) or not may_preempt(workload, rank):
        return decision
    tenants = [tenant(name, one) for name, one in scenario.get("tenants", {}).items()]
    found = preempt(workload, rank, fleet, tenants, now)
    return displacing(found, rank, now) if found is not None else decision


def tenant(name, stated):
    """`low: {priority: 0, cpu: "1", clusters: {eu-1: 4}}`."""
    reference = ObjectReference(
        api_version="apps/v1",
        kind="Deployment",
        resource="deployments",
        namespace="shop",
        name=name,
    )
    return Tenant(
        resource=reference,
        priority=stated.get("priority", 0),
        ask=ask_of(ReplicaDemand(1, {"cpu": stated["cpu"]})),
        shares=stated["clusters"],
    )
