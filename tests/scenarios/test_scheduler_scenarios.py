"""Every scenario gives the decision written beside it.

A scenario is a YAML file: the members, the placement of a policy, the workload, what the last
decision said and what members report. `pytest tests/scenarios --update-golden` writes the
decision anew; the diff is what is to be judged.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from services.scheduler.core.company import Peer, company_of
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.groups import scopes_of
from services.scheduler.core.member import Member
from services.scheduler.core.opinions import NOBODY_ASKED, Opinions
from services.scheduler.core.quota.allowed import Allowance
from services.scheduler.core.room import Taken, ask_of
from services.scheduler.core.signals.values import Signals
from services.scheduler.core.telling.bindings import condition_of, workload_of
from services.scheduler.core.telling.reasons import telling_parts
from shared.api.binding import ResourceBinding
from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.matching import groups_of
from shared.api.meta import read
from shared.api.policy import PropagationPolicy
from shared.api.scoring import WorkloadName
from shared.apimachinery.manifest import ObjectKey
from shared.interpreter.registry import BUILT_IN
from shared.interpreter.replicas import ReplicaDemand
from tests.scenarios import preempting
from tests.unit.scheduler.placement_worlds import GRACE

FOLDER = Path(__file__).parent / "scheduler"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = "2026-03-01T"


def cluster(name, stated):
    kinds = [kind.split() for kind in stated.get("kinds", ())]
    conditions = [
        {"type": "Ready", "status": str(stated.get("ready", True)), "reason": "x"},
        {"type": "Joined", "status": str(stated.get("joined", True)), "reason": "x"},
    ]
    status = {
        "conditions": conditions,
        "taints": [taint(text) for text in stated.get("taints", ())],
        "apiEnablements": [
            {"groupVersion": version, "resources": [{"name": "x", "kind": kind}]}
            for version, kind in kinds
        ],
    }
    if "room" in stated:
        status["capacity"] = {
            "nodeClasses": [room(text) for text in stated["room"]],
            "labels": stated.get("nodeLabels", {}),
            "labelsLeftOut": stated.get("nodeLabelsLeftOut", []),
            "quotas": [
                {"namespace": namespace, "free": free}
                for namespace, free in stated.get("quotas", {}).items()
            ],
        }
    metadata = {"name": name, "labels": stated.get("labels", {})}
    if stated.get("leaving"):
        metadata["deletionTimestamp"] = f"{DAY}11:59:00Z"
    spec = {field: stated.get(field, "") for field in ("provider", "region", "zone")}
    spec |= {"price": stated["price"]} if "price" in stated else {}
    spec |= {"carbonIntensity": stated["carbon"]} if "carbon" in stated else {}
    spec["latencies"] = stated.get("declared", [])
    if "latency" in stated:
        status["latencyMilliseconds"] = stated["latency"]
    status["latencies"] = [
        {"region": region, "milliseconds": count}
        for region, count in stated.get("latencies", {}).items()
    ]
    status["kubernetesVersion"] = stated.get("version", "")
    return read({"metadata": metadata, "spec": spec, "status": status}, Cluster)


def taint(text):
    """`key=value:Effect@11:59:00`."""
    text, _, added = text.partition("@")
    left, _, effect = text.rpartition(":")
    key, _, value = left.partition("=")
    found = {"key": key, "value": value, "effect": effect}
    return {**found, "timeAdded": f"{DAY}{added}Z"} if added else found


def room(text):
    """`2 x cpu=4,memory=8Gi | disk=nvme | gpu=yes:NoSchedule`: free, labels, taints."""
    count, _, rest = text.partition(" x ")
    free, labels, taints = (*(part.strip() for part in rest.split("|")), "", "")[:3]
    return {
        "count": int(count),
        "free": pairs(free),
        "labels": pairs(labels),
        "taints": [taint(one) for one in taints.split(",") if one],
    }


def pairs(text):
    return dict(one.rsplit("=", 1) for one in text.split(",") if one)


def template(stated):
    metadata = {"name": "web", "namespace": "shop", "uid": "u", "generation": 1}
    kind = stated.get("kind", "Deployment")
    if kind == "ConfigMap":
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    requests = {name: stated[name] for name in ("cpu", "memory") if name in stated}
    requests |= stated.get("requests", {})
    pod = {"containers": [{"name": "main", "resources": {"requests": requests}}]}
    pod |= {name: stated[name] for name in ("nodeSelector", "tolerations") if name in stated}
    spec = {"template": {"spec": pod}, **stated.get("spec", {})}
    if kind == "Job":
        spec["parallelism"] = stated["replicas"]
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": spec}
    if kind != "DaemonSet":
        spec["replicas"] = stated["replicas"]
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def binding(stated):
    reports = [
        {
            "cluster": name,
            "applied": True,
            "health": "Healthy",
            "observedTime": f"{DAY}11:59:59Z",
            "status": {"availableReplicas": count},
        }
        for name, count in stated.get("available", {}).items()
    ]
    reports += [
        {"cluster": name, "applied": True, "health": "Healthy"}
        for name in stated.get("healthy", ())
    ]
    reports += [
        {"cluster": name, "applied": True, "health": "Degraded", **rest}
        for name, rest in stated.get("unhealthy", {}).items()
    ]
    leaving = {"reason": "TaintToleration", "message": "lost", "since": f"{DAY}11:59:40Z"}
    spec = {
        "resource": {"apiVersion": "v1", "kind": "X", "resource": "xs", "name": "web"},
        "policy": {"kind": "PropagationPolicy", "name": "p"},
        "replicas": stated.get("replicas"),
        "affinityName": stated.get("affinityName", ""),
        "placement": stated.get("placement", {}),
        "clusters": [target(n, r) for n, r in stated.get("clusters", {}).items()],
        "evictions": [
            {"cluster": name, "replicas": replicas, **leaving}
            for name, replicas in stated.get("leaving", {}).items()
        ]
        + stated.get("evictions", []),
        "applicationFailures": stated.get("applicationFailures", []),
        **stated.get("spec", {}),
    }
    stranded = stated.get("unschedulable", {})
    reports = [{**one, **stranded.get(one["cluster"], {})} for one in reports]
    scheduled = {
        "type": "Scheduled",
        "status": str(stated.get("scheduled", True)),
        "reason": "x",
    }
    status = {"aggregatedStatus": reports, "conditions": [scheduled]}
    return read({"spec": spec, "status": status}, ResourceBinding)


def target(name, stated):
    """So many replicas, or more than that: `{replicas: 2, ordinalsStart: 100}`."""
    return {"name": name, **(stated if isinstance(stated, dict) else {"replicas": stated})}


def policy(stated, failover, rest):
    spec = {
        "resourceSelectors": [{"apiVersion": "*", "kind": "*"}],
        "placement": stated,
        "failover": failover,
        **rest,
    }
    return read({"metadata": {"name": "p", "namespace": "shop"}, "spec": spec}, PropagationPolicy)


def workload_in(scenario):
    manifest = template(scenario["workload"])
    rules = scenario["policy"]
    if scenario.get("binding", {}).get("affinityName"):
        scenario["binding"].setdefault("placement", rules)
    found = binding(scenario["binding"]) if "binding" in scenario else None
    key = ObjectKey("apps", "deployments", "shop", "web")
    purge = {"cluster": {"purgeMode": scenario.get("purgeMode", "Gracefully")}}
    spoken = policy(
        rules, {**purge, **scenario.get("failover", {})}, scenario.get("policySpec", {})
    )
    labels = scenario["workload"].get("labels", {})
    clusters = [cluster(name, stated) for name, stated in scenario["clusters"].items()]
    expired = frozenset(tuple(pair) for pair in scenario.get("expired", ()))
    workload = workload_of(
        key,
        manifest,
        BUILT_IN.of(manifest).demand(manifest),
        spoken,
        found,
        grace=GRACE,
        asked_at=scenario.get("rebalancedAt", ""),
        allowances=tuple(allowance(one) for one in scenario.get("allowances", ())),
        company=company_of(
            key, labels, spoken.spec.placement.workload_affinity, peers(scenario.get("peers", {}))
        ),
        signals=replace(
            Signals.of(clusters),
            published=scenario.get("published", {}),
            expired=expired,
            measured={
                (origin, target): milliseconds
                for origin, found in scenario.get("roundTrips", {}).items()
                for target, milliseconds in found.items()
            },
        ),
        opinions=Opinions(**scenario["plugins"]) if "plugins" in scenario else NOBODY_ASKED,
    )
    origins = {
        WorkloadName(name=name): frozenset(where)
        for name, where in scenario.get("origins", {}).items()
    }
    return replace(workload, origins=origins)


def allowance(stated):
    """What a quota leaves: `{name: quota shop/team, clusters: [eu-1], most: 4}`."""
    clusters = stated.get("clusters")
    within = frozenset(clusters) if clusters is not None else None
    return Allowance(stated["name"], within, stated["most"])


def peers(stated):
    """Other workloads of the namespace, by name."""
    return [
        Peer(
            ObjectKey("apps", "deployments", "shop", name),
            one["labels"],
            frozenset(one["clusters"]),
        )
        for name, one in stated.items()
    ]


def fleet_of(scenario):
    groups = [
        read({"metadata": {"name": name}, "spec": spec}, ClusterGroup)
        for name, spec in scenario.get("groups", {}).items()
    ]
    clusters = [cluster(name, stated) for name, stated in scenario["clusters"].items()]
    members = [
        Member.of(one, groups_of(one, groups)).without(
            [taken(one) for one in scenario["clusters"][one.metadata.name].get("underWay", ())]
        )
        for one in clusters
    ]
    return Fleet(members, None, scopes_of(groups))


def taken(stated):
    """Replicas of another workload that are decided and not reported: `{replicas: 2, cpu: 1}`."""
    namespace, replicas = stated.pop("namespace", "shop"), stated.pop("replicas")
    return Taken(ask_of(ReplicaDemand(replicas, stated)), namespace, replicas)


def written(decision, workload, fleet):
    condition = condition_of(decision, 1)
    found = {
        "scheduled": condition.status == "True",
        "reason": condition.reason,
        "message": condition.message,
        "clusters": {one.name: one.replicas for one in decision.clusters},
    }
    if decision.affinity_name:
        found["affinityName"] = decision.affinity_name
    for field, shown in (("completions", "completions"), ("ordinals_start", "ordinalsStart")):
        portions = {one.name: getattr(one, field) for one in decision.clusters}
        if any(portion is not None for portion in portions.values()):
            found[shown] = portions
    if decision.evictions:
        found["leaving"] = {one.cluster: one.replicas for one in decision.evictions}
    if preserved := {one.name: one.preserved for one in decision.clusters if one.preserved}:
        found["preserved"] = preserved
    if decision.failures:
        found["failures"] = {
            one.cluster: f"until {one.until}, {one.times} so far" for one in decision.failures
        }
    if decision.ceilings:
        found["ceilings"] = {
            one.cluster: f"{one.replicas} until {one.until}, {one.times} so far"
            for one in decision.ceilings
        }
    if decision.preempting:
        found["preempting"] = [
            f"{one.replicas} of {one.resource.name} in {one.cluster}" for one in decision.preempting
        ]
    if decision.goal:
        found["goal"] = dict(decision.goal)
    if decision.rejections:
        found["rejected"] = {name: str(why.code) for name, why in decision.rejections.items()}
    for name, parts in telling_parts(workload, fleet, decision).items():
        told = {one.name: f"{one.value}: {one.points} x {one.weight}" for one in parts}
        found.setdefault("scored", {})[name] = told
    if decision.wake_after is not None:
        found["wakeAfterSeconds"] = decision.wake_after.total_seconds()
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_scenario_gives_its_decision(path, request):
    scenario = yaml.safe_load(path.read_text())
    workload, fleet = workload_in(scenario), fleet_of(scenario)
    decision = written(preempting.decide(workload, fleet, NOW, scenario), workload, fleet)
    if request.config.getoption("--update-golden", default=False):
        stated = path.read_text().partition("\ndecision:\n")[0].rstrip("\n")
        golden = yaml.safe_dump({"decision": decision}, sort_keys=False, width=96)
        path.write_text(f"{stated}\n{golden}")
        return
    assert decision == scenario["decision"], scenario["about"]


def test_there_are_scenarios():
    assert len(list(FOLDER.glob("*.yaml"))) >= 150
