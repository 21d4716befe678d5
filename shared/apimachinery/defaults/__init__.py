"""What the API server of a cluster fills in when a built-in object is written, per kind.

The values are those of `k8s.io/kubernetes/pkg/apis/*/v1/defaults.go`. Defaulting what is already
defaulted changes nothing, and no argument is changed. A cluster stores them; a federation shows
them and stores what its users wrote (docs/adr/0006).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from shared.apimachinery.correlation import keys_of
from shared.apimachinery.defaults import others, pods, workloads
from shared.apimachinery.defaults.statuses import with_status
from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apimachinery.parts import section
from shared.apimachinery.schema import ANYTHING, Schema

Fill = Callable[[Manifest], Manifest]
_RBAC = "rbac.authorization.k8s.io"
_WEBHOOKS = "admissionregistration.k8s.io"
_STORAGE = "storage.k8s.io"


def _of_spec(fill: Callable[[dict[str, Any]], None]) -> Fill:
    def complete(manifest: Manifest) -> Manifest:
        spec = dict(section(manifest, "spec"))
        fill(spec)
        return {**manifest, "spec": spec}

    return complete


_autoscaler_v2 = _of_spec(others.fill_autoscaler)
_autoscaler_v1 = _of_spec(others.fill_autoscaler_v1)


def _autoscaler(manifest: Manifest) -> Manifest:
    older = manifest.get("apiVersion") == "autoscaling/v1"
    return (_autoscaler_v1 if older else _autoscaler_v2)(manifest)


_FILLS: Mapping[GroupResource, Fill] = {
    GroupResource("", "endpoints"): others.with_endpoints,
    GroupResource("", "limitranges"): _of_spec(others.fill_limit_range),
    GroupResource("", "persistentvolumeclaims"): _of_spec(others.fill_claim),
    GroupResource("", "persistentvolumes"): _of_spec(others.fill_volume),
    GroupResource("", "pods"): _of_spec(pods.fill_pod),
    GroupResource("", "podtemplates"): others.with_pod_template,
    GroupResource("", "replicationcontrollers"): _of_spec(workloads.fill_replication_controller),
    GroupResource("", "services"): _of_spec(others.fill_service),
    GroupResource(_WEBHOOKS, "mutatingwebhookconfigurations"): others.with_mutating_webhooks,
    GroupResource(_WEBHOOKS, "validatingwebhookconfigurations"): others.with_validating_webhooks,
    GroupResource("apps", "daemonsets"): _of_spec(workloads.fill_daemon_set),
    GroupResource("apps", "deployments"): _of_spec(workloads.fill_deployment),
    GroupResource("apps", "replicasets"): _of_spec(workloads.fill_replica_set),
    GroupResource("apps", "statefulsets"): _of_spec(workloads.fill_stateful_set),
    GroupResource("autoscaling", "horizontalpodautoscalers"): _autoscaler,
    GroupResource("batch", "cronjobs"): _of_spec(workloads.fill_cron_job),
    GroupResource("batch", "jobs"): _of_spec(workloads.fill_job),
    GroupResource("discovery.k8s.io", "endpointslices"): others.with_endpoint_slice,
    GroupResource("networking.k8s.io", "ingressclasses"): _of_spec(others.fill_ingress_class),
    GroupResource("networking.k8s.io", "networkpolicies"): _of_spec(others.fill_network_policy),
    GroupResource(_RBAC, "clusterrolebindings"): others.with_binding,
    GroupResource(_RBAC, "rolebindings"): others.with_binding,
    GroupResource("scheduling.k8s.io", "priorityclasses"): others.with_priority_class,
    GroupResource(_STORAGE, "csidrivers"): _of_spec(others.fill_driver),
    GroupResource(_STORAGE, "storageclasses"): others.with_storage_class,
}

DEFAULTED = frozenset(_FILLS)
"""The resources that `with_defaults` may change."""


def with_defaults(resource: GroupResource, manifest: Manifest) -> Manifest:
    """Return *manifest* as a cluster would store it."""
    fill = _FILLS.get(resource)
    return manifest if fill is None else fill(manifest)


def as_a_cluster_shows(resource: GroupResource, manifest: Manifest) -> Manifest:
    """Return *manifest* with its defaults, and a status where nobody has said one."""
    return with_status(resource, with_defaults(resource, manifest))


def without_defaults(shown: Any, stored: Any, new: Any, schema: Schema = ANYTHING) -> Any:
    """Return *new* without what *shown* added to *stored* and *new* only gives back.

    For a client that reads an object with defaults and writes it with a change: what it did not
    touch stays unsaid. An item of a list that is a map is the one with its keys, wherever it is
    now; other lists are compared item by item where their lengths are equal.
    """
    if isinstance(new, dict) and isinstance(shown, dict):
        said = stored if isinstance(stored, dict) else {}
        return {
            name: without_defaults(
                shown.get(name), said.get(name), value, schema.field(name) or ANYTHING
            )
            for name, value in new.items()
            if name in said or name not in shown or value != shown[name]
        }
    if isinstance(new, list) and isinstance(shown, list) and isinstance(stored, list):
        if len(shown) != len(stored):
            return new
        if schema.list_type == "map":
            return _items_without_defaults(zip(shown, stored, strict=True), new, schema)
        if len(new) == len(shown):
            parts = zip(shown, stored, new, strict=True)
            return [without_defaults(*three, schema.items) for three in parts]
    return new


def _items_without_defaults(
    pairs: Iterable[tuple[Any, Any]], new: list[Any], schema: Schema
) -> list[Any]:
    """Return *new* with each item compared to that of *pairs* (shown and stored) with its keys."""
    before = {keys_of(shown, schema): (shown, stored) for shown, stored in pairs}
    left = []
    for item in new:
        keys = keys_of(item, schema)
        found = before.get(keys) if keys is not None else None
        left.append(item if found is None else without_defaults(*found, item, schema.items))
    return left
