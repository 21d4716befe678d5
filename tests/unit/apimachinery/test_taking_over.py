"""Taking over: from client-side apply, from untracked times, from too many updaters."""

import json
from typing import Any

from shared.apimachinery import schema
from shared.apimachinery.apply import Conflicts, Writer, apply, track_update
from shared.apimachinery.last_applied import ANNOTATION
from shared.apimachinery.manifest import GroupVersionKind, Manifest, copy

CONFIG_MAP = schema.builtin(GroupVersionKind("", "v1", "ConfigMap"))
assert CONFIG_MAP is not None


def at(manager: str, second: int = 0) -> Writer:
    return Writer(manager, "v1", f"2026-01-01T00:00:{second:02}Z")


def a_config_map(data: dict[str, str], **metadata: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "c", **metadata},
        "data": data,
    }


def tracked(old: Manifest | None, new: Manifest, writer: Writer) -> Manifest:
    assert CONFIG_MAP is not None
    managed = track_update(old, new, writer, CONFIG_MAP)
    return {**new, "metadata": {**new["metadata"], "managedFields": managed}}


def applied(live: Manifest | None, config: Manifest, writer: Writer) -> Manifest | Conflicts:
    assert CONFIG_MAP is not None
    return apply(live, config, writer, CONFIG_MAP, force=False)


def client_side_applied(data: dict[str, str]) -> Manifest:
    text = json.dumps(a_config_map(data))
    live = a_config_map(data, annotations={ANNOTATION: text})
    return tracked(None, live, at("kubectl-client-side-apply"))


def test_kubectl_does_not_conflict_with_its_own_client_side_apply() -> None:
    live = client_side_applied({"a": "1"})
    after = applied(live, a_config_map({"a": "2"}), at("kubectl"))
    assert not isinstance(after, Conflicts)
    assert after["data"] == {"a": "2"}
    noted = json.loads(after["metadata"]["annotations"][ANNOTATION])
    assert noted == a_config_map({"a": "2"})


def test_kubectl_still_conflicts_with_what_another_changed_since() -> None:
    live = client_side_applied({"a": "1", "b": "1"})
    edited = copy(live)
    edited["data"]["b"] = "9"
    live = tracked(live, edited, at("editor"))
    after = applied(live, a_config_map({"a": "2", "b": "2"}), at("kubectl"))
    assert str(after) == 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.b'


def test_any_other_manager_conflicts_with_client_side_apply() -> None:
    live = client_side_applied({"a": "1"})
    after = applied(live, a_config_map({"a": "2"}), at("hanse"))
    assert isinstance(after, Conflicts)


def test_an_unreadable_annotation_excuses_nothing() -> None:
    live = client_side_applied({"a": "1"})
    live["metadata"]["annotations"][ANNOTATION] = "{"
    after = applied(live, a_config_map({"a": "2"}), at("kubectl"))
    assert isinstance(after, Conflicts)


def test_an_object_whose_tracking_ended_is_tracked_again_by_the_next_apply() -> None:
    live = tracked(None, a_config_map({"a": "1"}), at("me"))
    for reset in ([], [{}]):
        ended = copy(live)
        ended["metadata"]["managedFields"] = reset
        assert CONFIG_MAP is not None
        assert track_update(live, ended, at("me"), CONFIG_MAP) == []
    bare = a_config_map({"a": "1"})
    assert track_update(bare, a_config_map({"a": "2"}), at("me"), CONFIG_MAP) == []
    after = applied(bare, a_config_map({"a": "1"}), at("you"))
    assert not isinstance(after, Conflicts)
    assert [each["manager"] for each in after["metadata"]["managedFields"]] == [
        "you",
        "before-first-apply",
    ]


def test_the_oldest_of_more_than_ten_updaters_are_joined() -> None:
    live = tracked(None, a_config_map({"k0": "1"}), at("m0", 0))
    for second in range(1, 12):
        new = copy(live)
        new["data"][f"k{second}"] = "1"
        live = tracked(live, new, at(f"m{second}", second))
    entries = {each["manager"]: each for each in live["metadata"]["managedFields"]}
    assert len(entries) == 10
    assert entries["ancient-changes"]["fieldsV1"] == {
        "f:data": {".": {}, "f:k0": {}, "f:k1": {}, "f:k2": {}}
    }
    assert entries["ancient-changes"]["time"] == at("", 2).now


def test_the_time_is_that_of_the_managers_last_change() -> None:
    def time_of(manifest: Manifest | Conflicts) -> str:
        assert not isinstance(manifest, Conflicts)
        return str(manifest["metadata"]["managedFields"][0]["time"])

    first = applied(None, a_config_map({"a": "1"}), at("me", 1))
    assert not isinstance(first, Conflicts)
    assert time_of(applied(first, a_config_map({"a": "1"}), at("me", 2))) == at("", 1).now
    assert time_of(applied(first, a_config_map({"a": "2"}), at("me", 3))) == at("", 3).now
