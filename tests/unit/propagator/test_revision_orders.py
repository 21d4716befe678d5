"""What clusters are told to hold of a revision."""

import msgspec

from services.propagator.dispatch.orders import ParsedObjects
from services.propagator.dispatch.rollouts.rendering import RevisionRenderer
from shared.api.binding import BindingSpec, ObjectReference, TargetCluster
from shared.api.revision import RevisionSpec
from shared.apimachinery.manifest import Manifest, ObjectKey, annotations_of, decode
from shared.events.orders import TEMPLATE_UID, Encoded
from shared.events.work import WorkOrder
from shared.interpreter.registry import BUILT_IN
from shared.store.memory import MemoryStore

KEY = ObjectKey("batch", "jobs", "shop", "once")
CLUSTER: Manifest = {
    "apiVersion": "hanse.dev/v1alpha1",
    "kind": "Cluster",
    "metadata": {"name": "eu-1"},
}


def a_job(image: str) -> Manifest:
    container = {"name": "main", "image": image}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once", "namespace": "shop"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }


def of_template(uid: str) -> ObjectReference:
    return ObjectReference(
        api_version="batch/v1",
        kind="Job",
        resource="jobs",
        namespace="shop",
        name="once",
        uid=uid,
        generation=1,
    )


async def ordered(bound: BindingSpec, revision: RevisionSpec) -> WorkOrder:
    store, template = MemoryStore(), a_job("busybox:2")
    await store.create(ObjectKey("hanse.dev", "clusters", "", "eu-1"), CLUSTER)
    parsed = ParsedObjects(store.mirror)
    renderer = RevisionRenderer(KEY, template, bound, BUILT_IN.of(template), parsed)
    cluster = parsed.cluster("eu-1")
    assert cluster is not None
    encoded = renderer.order(cluster, revision, 1)
    assert isinstance(encoded, Encoded)
    return encoded.order


async def test_the_revision_of_a_deleted_template_is_ordered_as_it_was() -> None:
    """Or it would be run again in clusters that wait for their turn with the next one."""
    first, second = of_template("first"), of_template("second")
    one = TargetCluster(name="eu-1")
    old = RevisionSpec(resource=first, revision=1, digest="1", template=a_job("busybox:1"))
    new = RevisionSpec(resource=second, revision=2, digest="2", template=a_job("busybox:2"))
    former = await ordered(BindingSpec(resource=first, clusters=(one,)), old)
    successor = BindingSpec(resource=second, clusters=(one,), former_template="Delete")
    assert await ordered(successor, old) == former
    next_one = await ordered(successor, new)
    assert (next_one.template_uid, next_one.replaces) == ("second", True)
    mark = annotations_of(decode(bytes(next_one.manifest)))[TEMPLATE_UID]
    assert (mark, former.replaces) == ("second", msgspec.UNSET)
