"""How many decisions the scheduler takes in a second, and how long the slow ones last.

One decision is all the pure part does for one template that woke: find its policy, read what it
asks for, schedule, and put the binding's spec and condition together. The load: a fleet in ten
regions whose free room changes all the time, 120 policies of every sort of placement, templates
decided afresh and then again with what they hold. With `--spread` the policies that divide
have spread constraints, count room, and what is decided takes its room from the fleet. The floor
decodes the same inputs (template and binding) and sorts the members by name: what no scheduler
could do without. Seconds are those of the processor: the machine may do other things.
"""

import argparse
import gc
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from bench import fleet_loss, fleets
from services.scheduler.core.decision import Decision
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.member import Member
from services.scheduler.core.policies import select_policy
from services.scheduler.core.room import Taken, ask_of
from services.scheduler.core.schedule import schedule
from services.scheduler.core.telling.bindings import condition_of, spec_of, workload_of
from services.scheduler.core.workload import Grace, Workload
from shared.api.binding import BindingStatus, ResourceBinding
from shared.api.cluster import Cluster
from shared.api.meta import read, section
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import Manifest, ObjectKey, decode, encode
from shared.interpreter.registry import BUILT_IN

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_GRACE = Grace(unreachable=timedelta(seconds=1), not_ready=timedelta(seconds=30))
_DECISIONS_PER_CHANGE = 20
"""Decisions between two changes of the fleet's free room."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--clusters", type=int, default=100, help="members of the fleet")
    parser.add_argument("--templates", type=int, default=1_000, help="different templates")
    parser.add_argument("--rounds", type=int, default=3, help="decisions per template")
    parser.add_argument(
        "--bindings",
        type=int,
        default=0,
        metavar="N",
        help="also lose a cluster under N bindings, in a process of its own",
    )
    parser.add_argument(
        "--spread", action="store_true", help="spread over regions and clusters, by room"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure; the figures are `decisions_per_second`, `p50_ms`, `p99_ms` and their floors.

    `first_decisions_per_second` are those of templates that have no place yet.
    """
    # Not for secrets: the same load in every run.
    chance = random.Random(fleets.SEED)  # noqa: S311
    members = [
        Member.of(read(fleets.cluster(n, chance), Cluster)) for n in range(arguments.clusters)
    ]
    policies = [
        read(manifest, PropagationPolicy)
        for manifest in fleets.policies(arguments.clusters, spread=arguments.spread)
    ]
    templates = [fleets.template(number, chance) for number in range(arguments.templates)]
    bench = _Bench(members, policies, templates, chance, taking=arguments.spread)
    bench.decide_all()  # Warm: caches filled, every path taken once.
    bench.bindings.clear()
    gc.collect()
    afresh = bench.decide_all()
    bench.scheduled = bench.unschedulable = 0
    gc.collect()
    seconds: list[float] = []
    for _ in range(arguments.rounds):
        seconds += bench.decide_all()
    floor = _measure_floor(bench, arguments.rounds)
    return {
        "clusters": arguments.clusters,
        "templates": arguments.templates,
        "decisions": len(seconds),
        "scheduled": bench.scheduled,
        "unschedulable": bench.unschedulable,
        "decisions_per_second": round(len(seconds) / sum(seconds), 1),
        "first_decisions_per_second": round(len(afresh) / sum(afresh), 1),
        "p50_ms": round(_quantile(seconds, 0.50) * 1e3, 4),
        "p99_ms": round(_quantile(seconds, 0.99) * 1e3, 4),
        "floor_decisions_per_second": round(len(floor) / sum(floor), 1),
        "floor_p99_ms": round(_quantile(floor, 0.99) * 1e3, 4),
    } | (
        {"loss": fleet_loss.measure_loss(arguments.clusters, arguments.bindings)}
        if arguments.bindings
        else {}
    )


def rows(figures: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Return the lines of the table."""
    yield (
        f"decisions/s, {figures['clusters']} clusters",
        f"{figures['decisions_per_second']:,.0f}",
        f"{figures['floor_decisions_per_second']:,.0f}",
    )
    yield "decided afresh, a second", f"{figures['first_decisions_per_second']:,.0f}", ""
    yield "p50, ms", f"{figures['p50_ms']:.3f}", ""
    yield "p99, ms", f"{figures['p99_ms']:.3f}", f"{figures['floor_p99_ms']:.3f}"
    if "loss" in figures:
        yield from fleet_loss.rows(figures["loss"])


class _Bench:
    """The state between decisions: bindings by template, the fleet and its changes."""

    def __init__(
        self,
        members: list[Member],
        policies: list[PropagationPolicy],
        templates: list[tuple[ObjectKey, Manifest]],
        chance: random.Random,
        *,
        taking: bool,
    ) -> None:
        self.names = [member.name for member in members]
        self._fleet = Fleet(members)
        self.templates = templates
        self.bindings: dict[ObjectKey, ResourceBinding] = {}
        self.scheduled = self.unschedulable = 0
        self._chance = chance
        self._taking = taking
        self._policies: dict[str, list[PropagationPolicy]] = {}
        for policy in policies:
            self._policies.setdefault(policy.metadata.namespace, []).append(policy)

    def decide_all(self) -> list[float]:
        """Decide every template once, in any order; seconds per decision.

        Taking a change of the fleet in is part of the decision that comes after it.
        """
        seconds = []
        order = self._chance.sample(self.templates, len(self.templates))
        for number, (key, template) in enumerate(order):
            started = time.thread_time()
            if number % _DECISIONS_PER_CHANGE == 0:
                self._change_room()
            binding = self._decide(key, template)
            seconds.append(time.thread_time() - started)
            self.bindings[key] = binding
        return seconds

    def _decide(self, key: ObjectKey, template: Manifest) -> ResourceBinding:
        policies = [*self._policies.get(key.namespace, ()), *self._policies[""]]
        policy = select_policy(template, policies)
        if policy is None:
            raise RuntimeError("every namespace has a policy for everything")
        before = self.bindings.get(key)
        workload = workload_of(
            key, template, BUILT_IN.of(template).demand(template), policy, before, grace=_GRACE
        )
        decision = schedule(workload, self._fleet, _NOW)
        condition = condition_of(decision, 1)
        self.scheduled += condition.status == "True"
        self.unschedulable += condition.status != "True"
        if self._taking and before is None:
            self._take(workload, decision)
        spec = spec_of(workload, template, policy, decision)
        return ResourceBinding(spec=spec, status=BindingStatus(conditions=(condition,)))

    def _take(self, workload: Workload, decision: Decision) -> None:
        """Have a first decision count as taken, as one under way does."""
        shares = {one.name: one.replicas for one in decision.clusters if one.replicas}
        if workload.demand is not None and shares:
            ask = ask_of(workload.demand)
            self._fleet = self._fleet.with_rooms_of(
                [
                    self._fleet.members[name].without([Taken(ask, workload.key.namespace, count)])
                    for name, count in shares.items()
                ]
            )

    def _change_room(self) -> None:
        member = self._chance.choice(list(self._fleet.members.values()))
        if member.room is not None:
            nodes = list(member.room.nodes)
            self._chance.shuffle(nodes)
            room = replace(member.room, nodes=tuple(nodes[1:] or nodes))
            self._fleet = self._fleet.with_rooms_of([replace(member, room=room)])


def _measure_floor(bench: _Bench, rounds: int) -> list[float]:
    inputs = [
        (encode(template), msgspec.json.encode(section(bench.bindings[key])))
        for key, template in bench.templates
    ]
    read_binding: Callable[[bytes], ResourceBinding] = msgspec.json.Decoder(ResourceBinding).decode
    seconds = []
    for _ in range(rounds):
        for template, binding in inputs:
            started = time.thread_time()
            decode(template)
            read_binding(binding)
            sorted(bench.names)
            seconds.append(time.thread_time() - started)
    return seconds


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
