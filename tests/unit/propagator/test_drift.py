"""Drift is read out of field ownership: what was lost, and to whom."""

from typing import Any

from services.propagator.core.drift import ABSENT, LostField, lost_fields, without_field
from services.propagator.core.observed import is_newer, observe, read_live
from shared.apimachinery.manifest import GroupVersionKind, Manifest, encode

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


LABELS = {"f:labels": {"f:app": {}}}
IMAGE = {"f:template": {"f:spec": {"f:containers": {CONTAINER: {".": {}, "f:image": {}}}}}}
NAME = {"f:template": {"f:spec": {"f:containers": {CONTAINER: {".": {}, "f:name": {}}}}}}


def found(spec: dict[str, Any], *entries: dict[str, Any]) -> tuple[LostField, ...]:
    """What is lost where the member has *spec*; the labels are ours in the first of *entries*."""
    first, *others = entries
    first = {**first, "fieldsV1": {"f:metadata": LABELS, **first["fieldsV1"]}}
    manifest = {**live(first, *others, labels={"app": "web"}), "spec": spec}
    return lost_fields(ORDERED, manifest)


def a_spec(image: str = "web:1", **more: Any) -> dict[str, Any]:
    containers = [{"name": "side", "image": "s"}, {"name": "web", "image": image}]
    return {"replicas": 3, "template": {"spec": {"containers": containers}}, **more}


def test_a_field_that_changed_hands_is_named_with_who_took_it_and_both_values() -> None:
    edit = theirs("kubectl-edit", {**IMAGE, "f:paused": {}}, time="2026-01-01T00:00:00Z")
    lost = found(a_spec("web:2"), ours({"f:replicas": {}, **NAME}), edit)
    (one,) = lost
    assert one.path == '.spec.template.spec.containers[name="web"].image'
    assert one.pointer == ("spec", "template", "spec", "containers", "0", "image")
    assert (one.ordered, one.found) == ("web:1", "web:2")
    assert (one.actor, one.operation, one.time) == (
        "kubectl-edit",
        "Update",
        "2026-01-01T00:00:00Z",
    )


def test_what_others_add_or_share_is_not_lost() -> None:
    entries = [
        ours({"f:replicas": {}, "f:template": {}}),
        theirs("scaler", {"f:replicas": {}}),
        theirs("kubelet", {"f:replicas": {}}, subresource="status"),
    ]
    assert found(a_spec(), *entries) == ()


def test_an_empty_map_of_ours_does_not_hold_what_others_put_into_it() -> None:
    ordered = {"data": {"a": "1", "b": "2"}}
    entries = [
        {"manager": "hanse", "operation": "Apply", "fieldsV1": {"f:data": {}}},
        {"manager": "x", "operation": "Update", "fieldsV1": {"f:data": {"f:a": {}}}},
    ]
    one, other = lost_fields(ordered, {**live(*entries), "data": {"a": "9"}})
    assert (one.path, one.actor) == (".data.a", "x")
    assert (other.path, other.found) == (".data.b", ABSENT)
    whole = {**live(entries[0]), "data": {"a": "1", "b": "2"}}
    assert lost_fields(ordered, whole) == ()


def test_what_was_removed_has_nobodys_name() -> None:
    spec = {"template": a_spec()["template"]}
    (one,) = found(spec, ours({"f:template": {}}))
    assert (one.path, one.ordered, one.found, one.actor) == (".spec.replicas", 3, ABSENT, "")
    gone = {"replicas": 3, "template": {"spec": {"containers": [{"name": "side"}]}}}
    side = {"f:template": {"f:spec": {"f:containers": {'k:{"name":"side"}': {}}}}}
    (item,) = found(gone, ours({"f:replicas": {}}), theirs("kubectl", side))
    assert item.path == ".spec.template.spec.containers[0]"
    assert item.found is ABSENT


def test_what_a_server_never_stored_is_not_lost() -> None:
    ordered = {"spec": {"replicas": 3, "paused": None, "selector": {}}}
    assert lost_fields(ordered, {**live(ours({"f:replicas": {}})), "spec": {"replicas": 3}}) == ()


def test_what_is_left_out_leaves_the_rest_as_it_was() -> None:
    steps = ("f:spec", "f:template", "f:spec", "f:containers", CONTAINER, "f:image")
    changed = without_field(ORDERED, steps)
    assert changed["spec"]["template"]["spec"]["containers"] == [{"name": "web"}]
    assert ORDERED["spec"]["template"]["spec"]["containers"] == [{"name": "web", "image": "web:1"}]
    assert without_field(ORDERED, ("f:spec", "f:none", "f:x")) == ORDERED
    assert without_field(ORDERED, ("f:spec", "f:replicas"))["spec"].keys() == {"template"}


def test_who_scaled_is_told_by_subresource_and_name() -> None:
    scale = {"f:replicas": {}}
    person = live(ours({}), theirs("kubectl", scale, subresource="scale"))
    autoscaler = live(ours({}), theirs("kube-controller-manager", scale, subresource="scale"))
    assert not observe(person).autoscaled
    assert observe(autoscaler).autoscaled
    assert read_live(encode(autoscaler)).observe() == observe(autoscaler)


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
