"""What a binding asks of each cluster."""

from services.propagator.dispatch.orders import ParsedObjects, render_orders
from shared.api.binding import (
    BindingSpec,
    ObjectReference,
    PolicyReference,
    ResourceBinding,
    TargetCluster,
)
from shared.api.meta import ObjectMeta
from shared.apimachinery.manifest import ObjectKey
from shared.interpreter.registry import GENERIC
from shared.store.memory import MemoryStore

KEY = ObjectKey("", "configmaps", "shop", "a")
TEMPLATE = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}}


async def test_a_target_that_is_not_seen_yet_keeps_what_it_has() -> None:
    store = MemoryStore()
    seen = {"apiVersion": "hanse.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "seen"}}
    await store.create(ObjectKey("hanse.dev", "clusters", "", "seen"), seen)
    resource = ObjectReference(
        api_version="v1", kind="ConfigMap", resource="configmaps", namespace="shop", name="a"
    )
    spec = BindingSpec(
        resource=resource,
        policy=PolicyReference(kind="PropagationPolicy", name="p"),
        clusters=(TargetCluster(name="seen"), TargetCluster(name="unseen")),
    )
    binding = ResourceBinding(metadata=ObjectMeta(name="a-configmap"), spec=spec)
    orders = render_orders(KEY, TEMPLATE, binding, ParsedObjects(store.mirror), GENERIC)
    assert list(orders.by_cluster) == ["seen"]
    assert orders.unseen == {"unseen"}
