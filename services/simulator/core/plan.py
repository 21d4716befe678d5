"""What a controller wants written, and when it wants to look again."""

from dataclasses import dataclass
from datetime import timedelta

from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey

PODS = GroupResource("", "pods")
NODES = GroupResource("", "nodes")
SERVICES = GroupResource("", "services")
ENDPOINTS = GroupResource("", "endpoints")
ENDPOINT_SLICES = GroupResource("discovery.k8s.io", "endpointslices")
CLAIMS = GroupResource("", "persistentvolumeclaims")
VOLUMES = GroupResource("", "persistentvolumes")
NAMESPACES = GroupResource("", "namespaces")
CONFIG_MAPS = GroupResource("", "configmaps")
SECRETS = GroupResource("", "secrets")
SERVICE_ACCOUNTS = GroupResource("", "serviceaccounts")
DEPLOYMENTS = GroupResource("apps", "deployments")
REPLICA_SETS = GroupResource("apps", "replicasets")
STATEFUL_SETS = GroupResource("apps", "statefulsets")
DAEMON_SETS = GroupResource("apps", "daemonsets")
REVISIONS = GroupResource("apps", "controllerrevisions")
JOBS = GroupResource("batch", "jobs")
BUDGETS = GroupResource("policy", "poddisruptionbudgets")
AUTOSCALERS = GroupResource("autoscaling", "horizontalpodautoscalers")
INGRESSES = GroupResource("networking.k8s.io", "ingresses")
STORAGE_CLASSES = GroupResource("storage.k8s.io", "storageclasses")


@dataclass(frozen=True, slots=True)
class Create:
    """Make the object; uid, creation time and generation are the writer's to add."""

    resource: GroupResource
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Replace:
    """Put *new* in place of *old*, which must still be what the store holds."""

    resource: GroupResource
    old: Manifest
    new: Manifest


@dataclass(frozen=True, slots=True)
class Delete:
    resource: GroupResource
    manifest: Manifest


Write = Create | Replace | Delete


@dataclass(frozen=True, slots=True)
class Plan:
    """Writes in order; `again` is how long until time alone changes the answer."""

    writes: tuple[Write, ...] = ()
    again: timedelta | None = None


NOTHING = Plan()


def replace_if_changed(resource: GroupResource, old: Manifest, new: Manifest) -> tuple[Write, ...]:
    return () if old == new else (Replace(resource, old, new),)


def key_of(resource: GroupResource, manifest: Manifest) -> ObjectKey:
    metadata = manifest["metadata"]
    return ObjectKey(*resource, metadata.get("namespace") or "", metadata["name"])
