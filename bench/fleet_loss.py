"""What a scheduler with many bindings does when a cluster is lost, and what memory it takes.

`python -m bench scheduler --bindings N` runs this as a process of its own, so that the memory is
that of nothing else. It is the scheduler as it runs, but for what it would write: a mirror of 2 kB
templates and of their bindings with reports, read once at the start. Each is divided by room over
three clusters of two regions. Seconds are those of the processor.
"""

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from bench.fleets import NAMESPACES, SEED, cluster, policy, template
from bench.processes import memory_mebibytes
from services.scheduler.cache.federation import Federation
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.policies import select_policy
from services.scheduler.core.schedule import schedule
from services.scheduler.core.telling.bindings import condition_of, owner_of, spec_of, workload_of
from services.scheduler.core.workload import Grace
from services.scheduler.deciding.deciding import Deciding
from services.scheduler.deciding.plugins import Plugins
from services.scheduler.reconcilers.binding_writer import place_of
from shared.api.binding import BindingSpec, TargetCluster
from shared.api.cluster import UNREACHABLE_TAINT, Cluster
from shared.api.meta import API_VERSION, GROUP, Condition, read, section
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import Manifest, ObjectKey, namespace_of
from shared.bus.memory import MemoryBus
from shared.clock import SystemClock, format_time
from shared.interpreter.registry import BUILT_IN
from shared.store.body import decode_stored, encode_body
from shared.store.mirror import ObjectMirror
from shared.store.port import UNWATCHED, Revision

_GRACE = Grace(unreachable=timedelta(seconds=1), not_ready=timedelta(seconds=30))
_COUNTS = ("replicas", "readyReplicas", "availableReplicas", "updatedReplicas")
_LONG_AGO = "2026-01-01T00:00:00Z"
_PLACEMENT = {
    "replicaScheduling": {"weightPreference": {"dynamicWeight": "AvailableReplicas"}},
    "spreadConstraints": [
        {"spreadByField": "region", "minGroups": 2, "maxGroups": 2},
        {"spreadByField": "cluster", "minGroups": 2, "maxGroups": 3},
    ],
}


def measure_loss(clusters: int, bindings: int) -> dict[str, Any]:
    """Run this module as a process, and return its figures."""
    words = [sys.executable, "-m", "bench.fleet_loss", str(clusters), str(bindings)]
    done = subprocess.run(words, capture_output=True, check=True, text=True)
    return dict(json.loads(done.stdout))


def rows(figures: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Return the lines of the table."""
    count = f"{figures['bindings']:,} bindings"
    yield f"all of {count} decided again", f"{figures['all_decided_seconds']:.1f} s", "10 s"
    yield (
        f"woken by the loss of one cluster, of {count}",
        f"{figures['woken_by_loss']:,}",
        f"{figures['ran_on_lost']:,} ran there",
    )
    yield "these found and decided", f"{figures['loss_seconds']:.2f} s", ""
    yield "woken by room that changed", f"{figures['woken_by_room']:,}", "0"
    yield f"memory, {count}", f"{figures['memory_mebibytes']:.0f} MiB", "300 MiB"


class _World:
    """A mirror with a fleet, policies, templates and their bindings; and who follows it."""

    def __init__(self, clusters: int, bindings: int) -> None:
        self._mirror = ObjectMirror(UNWATCHED)
        chance = random.Random(SEED)  # noqa: S311
        self.clusters = [cluster(number, chance) for number in range(clusters)]
        for one in self.clusters:
            self.put_cluster(one)
        policies = [_policy_of(number) for number in range(NAMESPACES)]
        for one in policies:
            metadata = one["metadata"]
            at = ObjectKey(GROUP, "propagationpolicies", metadata["namespace"], metadata["name"])
            self._put(at, one)
        self._fill(bindings, [read(one, PropagationPolicy) for one in policies], chance)
        self.woken: list[ObjectKey] = []
        self._federation = Federation(
            self._mirror,
            interpreters=BUILT_IN,
            clock=SystemClock(),
            wake_template=self.woken.append,
            wake_waiting=self.woken.append,
            wake_policy=lambda _: None,
        )
        self._federation.follow()
        self._deciding = Deciding(
            self._federation,
            SystemClock(),
            _GRACE,
            interpreters=BUILT_IN,
            plugins=Plugins(MemoryBus(), SystemClock(), timedelta(seconds=5), self.woken.append),
        )

    def put_cluster(self, manifest: Manifest) -> None:
        at = ObjectKey(GROUP, "clusters", "", manifest["metadata"]["name"])
        self._put(at, {"apiVersion": API_VERSION, "kind": "Cluster", **manifest})

    def _put(self, key: ObjectKey, manifest: Manifest) -> None:
        revision = Revision(self._mirror.revision + 1)
        self._mirror.put(decode_stored(key, revision, encode_body(key, manifest)))

    def _fill(self, count: int, policies: list[PropagationPolicy], chance: random.Random) -> None:
        fleet = Fleet.of(read(one, Cluster) for one in self.clusters)
        for number in range(count):
            key, manifest = template(number, chance)
            namespace = f"team-{number % NAMESPACES}"
            key = ObjectKey(key.group, key.resource, namespace, key.name)
            uid = f"00000000-0000-4000-8000-{number:012}"
            manifest["metadata"] |= {"namespace": namespace, "uid": uid, "generation": 1}
            self._put(key, manifest)
            mine = policies[number % NAMESPACES]
            demand = BUILT_IN.of(manifest).demand(manifest)
            workload = workload_of(key, manifest, demand, mine, None, grace=_GRACE)
            # As if decided when there was room there: to decide each afresh would take minutes.
            replicas = int(manifest["spec"]["replicas"])
            there = _somewhere(len(self.clusters), replicas, chance)
            workload = replace(workload, current=there, previous_replicas=replicas)
            decision = schedule(workload, fleet, SystemClock().now())
            spec = spec_of(workload, manifest, mine, decision)
            self._put(place_of(spec), _binding(spec, condition_of(decision, 1), uid))

    def decide(self, keys: Iterable[ObjectKey]) -> float:
        """Decide the templates at *keys*; returns the seconds that took."""
        started = time.thread_time()
        for key in keys:
            stored = self._mirror.get(key)
            assert stored is not None
            manifest = stored.glance()
            mine = select_policy(manifest, self._federation.policies.within(namespace_of(manifest)))
            assert mine is not None
            self._deciding.decide(key, manifest, mine, self._federation.bound(key))
        return time.thread_time() - started

    def on(self, name: str) -> list[ObjectKey]:
        """Return the templates that run on a cluster."""
        return [key for key in self.woken if self._runs_on(key, name)]

    def _runs_on(self, key: ObjectKey, name: str) -> bool:
        bound = self._federation.bound(key)
        return bound is not None and any(one.name == name for one in bound.binding.spec.clusters)


def _somewhere(clusters: int, replicas: int, chance: random.Random) -> tuple[TargetCluster, ...]:
    """Put them into three clusters of two regions at most, none of the one that is tainted."""
    one, other = chance.sample(range(9), 2)
    rows = chance.sample(range(clusters // 10), 2)
    numbers = sorted((rows[0] * 10 + one, rows[0] * 10 + other, rows[1] * 10 + other)[:replicas])
    each, more = divmod(replicas, len(numbers))
    return tuple(
        TargetCluster(name=f"member-{number:04d}", replicas=each + (place < more))
        for place, number in enumerate(numbers)
    )


def _policy_of(number: int) -> Manifest:
    selector = {"apiVersion": "apps/v1", "kind": "Deployment"}
    return {"apiVersion": API_VERSION, **policy("all", f"team-{number}", [selector], _PLACEMENT)}


def _binding(spec: BindingSpec, condition: Condition, uid: str) -> Manifest:
    at = place_of(spec)
    reports = [
        {
            "cluster": one.name,
            "applied": True,
            "health": "Healthy",
            "generation": 1,
            "templateGeneration": 1,
            "observedTime": _LONG_AGO,
            "status": dict.fromkeys(_COUNTS, one.replicas),
        }
        for one in spec.clusters
    ]
    return {
        "apiVersion": API_VERSION,
        "kind": "ResourceBinding",
        "metadata": {
            "name": at.name,
            "namespace": at.namespace,
            "uid": uid,
            "generation": 1,
            "creationTimestamp": _LONG_AGO,
            "finalizers": ["hanse.dev/works"],
            "ownerReferences": [section(owner_of(spec))],
        },
        "spec": section(spec),
        "status": {"conditions": [section(condition)], "aggregatedStatus": reports},
    }


def _lost(manifest: Manifest) -> Manifest:
    conditions = [
        {"type": "Ready", "status": "Unknown", "reason": "Silent"},
        {"type": "Joined", "status": "True", "reason": "Seen"},
    ]
    long_ago = format_time(SystemClock().now() - timedelta(minutes=1))
    taint = {"key": UNREACHABLE_TAINT, "effect": "NoExecute", "timeAdded": long_ago}
    return {
        **manifest,
        "status": {**manifest["status"], "conditions": conditions, "taints": [taint]},
    }


def _roomier(manifest: Manifest) -> Manifest:
    status = manifest["status"]
    classes = [{**one, "count": one["count"] + 1} for one in status["capacity"]["nodeClasses"]]
    return {**manifest, "status": {**status, "capacity": {"nodeClasses": classes}}}


def _measure(clusters: int, bindings: int) -> dict[str, Any]:
    world = _World(clusters, bindings)
    everything = list(world.woken)
    world.decide(everything)
    gc.collect()
    memory = memory_mebibytes(os.getpid())
    lost, other = world.clusters[len(world.clusters) // 2], world.clusters[-1]
    there = len(world.on(lost["metadata"]["name"]))
    world.woken.clear()
    world.put_cluster(_roomier(other))
    by_room = len(world.woken)
    world.woken.clear()
    started = time.thread_time()
    world.put_cluster(_lost(lost))
    found = time.thread_time() - started
    woken = list(world.woken)
    return {
        "clusters": clusters,
        "bindings": bindings,
        "memory_mebibytes": memory,
        "woken_by_room": by_room,
        "woken_by_loss": len(woken),
        "ran_on_lost": there,
        "loss_seconds": round(found + world.decide(woken), 3),
        "all_decided_seconds": round(world.decide(everything), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fleet_loss")
    parser.add_argument("clusters", type=int)
    parser.add_argument("bindings", type=int)
    arguments = parser.parse_args()
    print(json.dumps(_measure(arguments.clusters, arguments.bindings)))


if __name__ == "__main__":
    main()
