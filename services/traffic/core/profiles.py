"""What is published of each member: its ClusterProfile, and its ClusterProperties (pure)."""

from collections.abc import Mapping, Sequence
from typing import Any

from shared.api.cluster import READY, Cluster
from shared.api.conditions import find_condition, with_condition
from shared.api.meta import Condition, section
from shared.api.multicluster import (
    ABOUT_API,
    CLUSTER_ID,
    CLUSTERSET_ID,
    PROFILE,
    PROFILE_API,
    PROPERTY,
)
from shared.apimachinery.manifest import Manifest

MANAGER = "hanse"
MANAGER_LABEL = "x-k8s.io/cluster-manager"
CLUSTERSET_LABEL = "multicluster.x-k8s.io/clusterset"
HEALTHY = "ControlPlaneHealthy"


def cluster_properties(cluster: str, clusterset: str) -> tuple[Manifest, ...]:
    """The properties a member bears: by what name the others know it, and who they all are."""
    values = {CLUSTER_ID: cluster, CLUSTERSET_ID: clusterset}
    return tuple(
        {
            "apiVersion": ABOUT_API,
            "kind": PROPERTY,
            "metadata": {"name": name},
            "spec": {"value": value},
        }
        for name, value in values.items()
    )


def cluster_profile(cluster: str, namespace: str, clusterset: str) -> Manifest:
    labels = {MANAGER_LABEL: MANAGER, CLUSTERSET_LABEL: clusterset}
    return {
        "apiVersion": PROFILE_API,
        "kind": PROFILE,
        "metadata": {"name": cluster, "namespace": namespace, "labels": labels},
        "spec": {"displayName": cluster, "clusterManager": {"name": MANAGER}},
    }


def profile_status(
    name: str,
    cluster: Cluster,
    clusterset: str,
    before: Mapping[str, Any],
    *,
    conditions: Sequence[Condition],
    told: Sequence[Condition],
    now: str,
) -> dict[str, Any]:
    """*told* are the conditions of *before*; *conditions* those beside the health of the member.

    A property keeps its time for as long as its value.
    """
    wanted = {
        CLUSTER_ID: name,
        CLUSTERSET_ID: clusterset,
        "hanse.dev/provider": cluster.spec.provider,
        "hanse.dev/region": cluster.spec.region,
        "hanse.dev/zone": cluster.spec.zone,
    }
    old = {
        str(one.get("name")): one
        for one in before.get("properties") or ()
        if isinstance(one, Mapping)
    }
    properties = [
        dict(old[key])
        if key in old and old[key].get("value") == value
        else {"name": key, "value": value, "lastObservedTime": now}
        for key, value in wanted.items()
        if value
    ]
    found: tuple[Condition, ...] = ()
    for one in (_health(cluster), *conditions):
        kept = find_condition(told, one.type)
        found = with_condition(found if kept is None else (*found, kept), one, now=now)
    status: dict[str, Any] = {"conditions": section(found), "properties": properties}
    if cluster.status.kubernetes_version:
        status["version"] = {"kubernetes": cluster.status.kubernetes_version}
    return status


def _health(cluster: Cluster) -> Condition:
    ready = find_condition(cluster.status.conditions, READY)
    if ready is None:
        message = "nobody has looked at it yet"
        return Condition(type=HEALTHY, status="Unknown", reason="NoObservation", message=message)
    return Condition(type=HEALTHY, status=ready.status, reason=ready.reason, message=ready.message)
