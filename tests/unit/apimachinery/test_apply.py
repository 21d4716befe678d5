"""Server-side apply: who owns what, what conflicts, what goes when it is no longer applied."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery import schema
from shared.apimachinery.apply import Conflicts, Writer, apply, track_update
from shared.apimachinery.field_sets import UntypedConfiguration
from shared.apimachinery.manifest import GroupVersionKind, Manifest, copy

DEPLOYMENT = schema.builtin(GroupVersionKind("apps", "v1", "Deployment"))
CONFIG_MAP = schema.builtin(GroupVersionKind("", "v1", "ConfigMap"))
assert DEPLOYMENT is not None
assert CONFIG_MAP is not None


def writer(manager: str, now: str = "2026-01-01T00:00:00Z", subresource: str = "") -> Writer:
    return Writer(manager, "apps/v1", now, subresource)


def a_deployment(*containers: Any, **spec: Any) -> Manifest:
    template = {"spec": {"containers": list(containers)}} if containers else None
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {**spec, **({"template": template} if template else {})},
    }


def applied(live: Manifest | None, manifest: Manifest, by: str, *, force: bool = False) -> Manifest:
    result = apply(live, manifest, writer(by), DEPLOYMENT, force=force)
    assert not isinstance(result, Conflicts), result
    return result


def fields(manifest: Manifest, manager: str) -> Any:
    for entry in manifest["metadata"]["managedFields"]:
        if entry["manager"] == manager:
            return entry["fieldsV1"]
    return None


def test_what_is_applied_is_owned_by_its_path() -> None:
    web = {"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}
    live = applied(None, a_deployment(web, replicas=2), "me")
    assert fields(live, "me") == {
        "f:spec": {
            "f:replicas": {},
            "f:template": {
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"web"}': {
                            ".": {},
                            "f:image": {},
                            "f:name": {},
                            "f:ports": {
                                'k:{"containerPort":80,"protocol":"TCP"}': {
                                    ".": {},
                                    "f:containerPort": {},
                                }
                            },
                        }
                    }
                }
            },
        }
    }


def test_a_field_of_somebody_else_conflicts_and_names_them() -> None:
    live = applied(None, a_deployment(replicas=2), "first")
    result = apply(live, a_deployment(replicas=3), writer("second"), DEPLOYMENT, force=False)
    assert isinstance(result, Conflicts)
    assert [str(each) for each in result.conflicts] == ['conflict with "first": .spec.replicas']


def test_the_same_value_is_shared_without_conflict() -> None:
    live = applied(None, a_deployment(replicas=2), "first")
    live = applied(live, a_deployment(replicas=2), "second")
    assert fields(live, "first") == fields(live, "second") == {"f:spec": {"f:replicas": {}}}


def test_force_takes_the_field_from_its_owner() -> None:
    live = applied(None, a_deployment(replicas=2, paused=True), "first")
    live = applied(live, a_deployment(replicas=3), "second", force=True)
    assert live["spec"]["replicas"] == 3
    assert fields(live, "first") == {"f:spec": {"f:paused": {}}}


def test_a_field_no_longer_applied_goes_unless_another_applies_it() -> None:
    live = applied(None, a_deployment(replicas=2, paused=True), "first")
    live = applied(live, a_deployment(replicas=2), "second")
    live = applied(live, a_deployment(paused=True), "first")
    assert live["spec"] == {"replicas": 2, "paused": True}
    live = applied(live, a_deployment(minReadySeconds=1), "second")
    assert live["spec"] == {"paused": True, "minReadySeconds": 1}


def test_a_list_item_no_longer_applied_goes_and_others_items_stay() -> None:
    mine, sidecar = {"name": "web", "image": "a"}, {"name": "sidecar", "image": "b"}
    live = applied(None, a_deployment(mine), "me")
    live = applied(live, a_deployment(sidecar), "injector")
    assert live["spec"]["template"]["spec"]["containers"] == [mine, sidecar]
    live = applied(live, a_deployment({"name": "other", "image": "c"}), "me")
    names = [each["name"] for each in live["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["other", "sidecar"]


def test_an_update_takes_changed_fields_from_their_applier() -> None:
    live = applied(None, a_deployment(replicas=2, paused=True), "hanse")
    edited = copy(live)
    edited["spec"]["replicas"] = 5
    edited["metadata"]["managedFields"] = track_update(live, edited, writer("edit"), DEPLOYMENT)
    assert fields(edited, "hanse") == {"f:spec": {"f:paused": {}}}
    assert fields(edited, "edit") == {"f:spec": {"f:replicas": {}}}
    again = applied(edited, a_deployment(replicas=2, paused=True), "hanse", force=True)
    assert fields(again, "hanse") == {"f:spec": {"f:paused": {}, "f:replicas": {}}}
    assert fields(again, "edit") is None


def test_a_field_that_an_update_removes_is_nobodys() -> None:
    live = applied(None, a_deployment(replicas=2, paused=True), "hanse")
    edited = copy(live)
    del edited["spec"]["paused"]
    edited["metadata"]["managedFields"] = track_update(live, edited, writer("edit"), DEPLOYMENT)
    assert fields(edited, "hanse") == {"f:spec": {"f:replicas": {}}}
    assert fields(edited, "edit") is None


def test_a_write_that_changes_nothing_leaves_the_managers_alone() -> None:
    live = applied(None, a_deployment(replicas=2), "hanse")
    later = writer("edit", now="2030-01-01T00:00:00Z")
    assert track_update(live, copy(live), later, DEPLOYMENT) == live["metadata"]["managedFields"]


def test_status_is_managed_apart() -> None:
    live = applied(None, a_deployment(replicas=2), "hanse")
    after = {**live, "status": {"readyReplicas": 2}}
    found = track_update(live, after, writer("controller", subresource="status"), DEPLOYMENT)
    entries = {entry["manager"]: entry for entry in found}
    assert entries["controller"]["subresource"] == "status"
    assert entries["controller"]["fieldsV1"]["f:status"]["f:readyReplicas"] == {}
    assert entries["hanse"] == live["metadata"]["managedFields"][0]


def test_what_was_there_before_tracking_is_not_overwritten_unasked() -> None:
    live = a_deployment(replicas=2)
    result = apply(live, a_deployment(replicas=3), writer("me"), DEPLOYMENT, force=False)
    assert isinstance(result, Conflicts)
    assert result.conflicts[0].manager.name == "before-first-apply"


def test_an_apply_that_changes_nothing_gives_the_same_object() -> None:
    manifest = a_deployment({"name": "web", "image": "a", "env": [{"name": "A"}]}, replicas=1)
    live = applied(None, manifest, "me")
    later = apply(live, manifest, writer("me", now="2030-01-01T00:00:00Z"), DEPLOYMENT, force=False)
    assert later == live


def test_an_item_applied_twice_is_refused_with_its_path() -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    with pytest.raises(UntypedConfiguration) as caught:
        applied(None, a_deployment({"name": "web", "env": twice}), "me")
    path = '.spec.template.spec.containers[name="web"].env'
    assert str(caught.value) == f'{path}: duplicate entries for key [name="A"]'


def test_a_field_that_no_schema_declares_is_refused_with_its_path() -> None:
    with pytest.raises(UntypedConfiguration) as caught:
        applied(None, a_deployment({"name": "web", "imag": "web:1"}), "me")
    path = '.spec.template.spec.containers[name="web"].imag'
    assert str(caught.value) == f"{path}: field not declared in schema"


def test_conflicts_read_as_kubectl_prints_them() -> None:
    live = applied(None, a_deployment(replicas=2, paused=True), "first")
    one = apply(live, a_deployment(replicas=3), writer("second"), DEPLOYMENT, force=False)
    assert isinstance(one, Conflicts)
    assert str(one) == 'Apply failed with 1 conflict: conflict with "first": .spec.replicas'
    live["metadata"]["managedFields"][0]["operation"] = "Update"
    both = a_deployment(replicas=3, paused=False)
    two = apply(live, both, writer("second"), DEPLOYMENT, force=False)
    assert str(two) == (
        'Apply failed with 2 conflicts: conflicts with "first" using apps/v1:\n'
        "- .spec.paused\n- .spec.replicas"
    )


def test_items_that_somebody_wrote_twice_are_one_field() -> None:
    twice = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]
    written = a_deployment({"name": "web", "env": twice})
    [entry] = track_update(None, written, writer("me"), DEPLOYMENT)
    containers = entry["fieldsV1"]["f:spec"]["f:template"]["f:spec"]["f:containers"]
    env = containers['k:{"name":"web"}']["f:env"]
    assert env == {".": {}, 'k:{"name":"A"}': {}}


data = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from(["1", "2"]), max_size=4)


def a_config_map(values: dict[str, str]) -> Manifest:
    found: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    return {**found, "data": values} if values else found


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), data), max_size=6))
def test_applying_twice_equals_once(history: list[tuple[str, dict[str, str]]]) -> None:
    live: Manifest | None = None
    for manager, values in history:
        once = apply(live, a_config_map(values), writer(manager), CONFIG_MAP, force=True)
        assert not isinstance(once, Conflicts)
        assert apply(once, a_config_map(values), writer(manager), CONFIG_MAP, force=True) == once
        live = once


@given(st.lists(st.tuples(st.sampled_from(["x", "y"]), data), max_size=6))
def test_every_value_is_the_last_forced_and_every_abandoned_one_is_gone(
    history: list[tuple[str, dict[str, str]]],
) -> None:
    live: Manifest | None = None
    wanted: dict[str, dict[str, str]] = {}
    for manager, values in history:
        result = apply(live, a_config_map(values), writer(manager), CONFIG_MAP, force=True)
        assert not isinstance(result, Conflicts)
        live = result
        for other, theirs in wanted.items():
            if other != manager:
                for key in [key for key in theirs if key in values and theirs[key] != values[key]]:
                    del theirs[key]
        wanted[manager] = dict(values)
        expected: dict[str, str] = {}
        for theirs in wanted.values():
            expected |= theirs
        assert (live.get("data") or {}) == expected


@given(data, data)
def test_disjoint_managers_apply_in_any_order(
    first: dict[str, str], second: dict[str, str]
) -> None:
    second = {key.upper(): value for key, value in second.items()}
    results = []
    for order in (("x", first), ("y", second)), (("y", second), ("x", first)):
        live: Manifest | None = None
        for manager, values in order:
            result = apply(live, a_config_map(values), writer(manager), CONFIG_MAP, force=False)
            assert not isinstance(result, Conflicts)
            live = result
        assert live is not None
        results.append((live.get("data"), fields(live, "x"), fields(live, "y")))
    assert results[0] == results[1]


@pytest.mark.parametrize("value", [None, {}, []])
def test_empty_values_are_fields_too(value: Any) -> None:
    live = applied(None, a_deployment({"name": "w", "resources": {}, "command": value or []}), "me")
    container = fields(live, "me")["f:spec"]["f:template"]["f:spec"]["f:containers"]
    assert container['k:{"name":"w"}']["f:resources"] == {}
