"""Drift is read out of field ownership: what was lost, and to whom."""

from typing import Any

from services.propagator.core.drift import LostField, lost_fields, without_replicas
from services.propagator.core.observed import is_newer, observe, read_live
from shared.apimachinery.manifest import GroupVersionKind, Manifest, decode, encode

ORDERED: Manifest = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {
        "replicas": 3,
        "template": {"spec": {"containers": [{"name": "web", "image": "web:1"}]}},
    },
}
CONTAINER = 'k:{"name":"web"}'


def fields(spec: dict[str, Any]) -> dict[str, Any]:
    return {"f:spec": spec}


def live(*entries: dict[str, Any], **metadata: Any) -> Manifest:
    return {"metadata": {"uid": "u", "resourceVersion": "9", "managedFields": entries, **metadata}}


def ours(spec: dict[str, Any]) -> dict[str, Any]:
    return {"manager": "hanse", "operation": "Apply", "fieldsV1": fields(spec)}


def theirs(manager: str, spec: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsV1": fields(spec), **more}


def test_a_field_that_changed_hands_is_named_with_who_took_it() -> None:
    image = {"f:template": {"f:spec": {"f:containers": {CONTAINER: {".": {}, "f:image": {}}}}}}
    found = lost_fields(
        ORDERED,
        live(ours({"f:replicas": {}}), theirs("kubectl-edit", {**image, "f:paused": {}})),
    )
    path = '.spec.template.spec.containers[{"name":"web"}].image'
    assert found == (LostField(path, "kubectl-edit"),)


def test_what_others_add_or_share_is_not_lost() -> None:
    entries = [
        ours({"f:replicas": {}}),
        theirs("scaler", {"f:replicas": {}}),
        theirs("kubelet", {"f:replicas": {}}, subresource="status"),
    ]
    assert lost_fields(ORDERED, live(*entries)) == ()


def test_a_persons_scale_is_drift_and_an_autoscalers_is_not() -> None:
    scale = {"f:replicas": {}}
    person = live(ours({}), theirs("kubectl", scale, subresource="scale"))
    autoscaler = live(ours({}), theirs("kube-controller-manager", scale, subresource="scale"))
    assert lost_fields(ORDERED, person) == (LostField(".spec.replicas", "kubectl"),)
    assert not observe(person).autoscaled
    assert observe(autoscaler).autoscaled
    assert read_live(encode(autoscaler)).observe() == observe(autoscaler)
    assert decode(without_replicas(b'{"spec":{"replicas":1,"a":2}}')) == {"spec": {"a": 2}}


def test_the_digest_is_of_our_fields_alone() -> None:
    before = observe(live(ours({"f:replicas": {}})))
    assert observe(live(ours({"f:replicas": {}}), theirs("x", {"f:a": {}}))) == before
    assert observe(live(ours({}))).fields_digest != before.fields_digest
    assert observe(live()).fields_digest == ""


def test_reading_little_of_an_object_tells_the_same_as_reading_all_of_it() -> None:
    entry = ours({"f:replicas": {}})
    manifest = {
        **live(entry, labels={"hanse.dev/managed": "true"}),
        "apiVersion": "apps/v1",
        "spec": {"replicas": 1},
        "status": {"replicas": 2},
    }
    manifest["metadata"]["annotations"] = {"hanse.dev/work-generation": "7"}
    found = read_live(encode(manifest))
    assert found.observe() == observe(manifest)
    assert found.observe(found.observe()) == observe(manifest)
    changed = read_live(encode({**manifest, **live(ours({}))}))
    assert changed.observe(found.observe()).fields_digest != observe(manifest).fields_digest
    shown = found.manifest_for_status(GroupVersionKind("apps", "v1", "Deployment"))
    assert (shown["spec"], shown["status"]) == ({"replicas": 1}, {"replicas": 2})
    bare = read_live(b'{"metadata":{"name":"a"}}')
    assert bare.manifest_for_status(GroupVersionKind("", "v1", "ConfigMap"))["status"] is None


def test_later_versions_are_told_from_earlier_ones() -> None:
    assert is_newer("10", "9")
    assert not is_newer("9", "10")
    assert not is_newer("9", "9")
    assert is_newer("opaque", "9")
