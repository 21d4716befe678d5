import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import GroupVersionKind, Manifest, copy
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.life.beginning import generate_name, prepare_create
from shared.apiserver.life.changes import content_differs, is_unchanged, prepare_update
from shared.apiserver.life.deletion import must_go, prepare_delete
from shared.apiserver.status_errors import ApiFault

THING = ResourceKind(
    gvk=GroupVersionKind("example.com", "v1", "Thing"),
    resource="things",
    singular="thing",
    namespaced=True,
    has_status=True,
)
NAMESPACE = ResourceKind(
    gvk=GroupVersionKind("", "v1", "Namespace"),
    resource="namespaces",
    singular="namespace",
    namespaced=False,
    has_status=True,
)
NOW = "2026-01-01T00:00:00Z"
LATER = "2026-01-02T00:00:00Z"

specs = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3) | st.none(), max_size=3)
metadatas = st.fixed_dictionaries(
    {},
    optional={
        "uid": st.just("mine"),
        "generation": st.integers(5, 9),
        "creationTimestamp": st.just(LATER),
        "deletionTimestamp": st.just(LATER),
        "labels": st.dictionaries(st.sampled_from("xy"), st.sampled_from("12")),
        "selfLink": st.just("/x"),
    },
)


def thing(**parts: object) -> Manifest:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "a", "namespace": "shop"},
        **parts,
    }


def created(manifest: Manifest | None = None) -> Manifest:
    return prepare_create(
        THING, manifest or thing(spec={}), "shop", now=NOW, uid="u1", suffix="abcde"
    )


@given(metadatas, specs)
def test_what_the_server_owns_is_the_servers_at_creation(metadata, spec):
    manifest = thing(spec=spec, status={"claimed": True})
    manifest["metadata"] |= metadata
    before = copy(manifest)
    found = created(manifest)

    assert manifest == before, "arguments stay as they are"
    assert found["metadata"]["uid"] == "u1"
    assert found["metadata"]["creationTimestamp"] == NOW
    assert found["metadata"]["generation"] == 1
    assert "deletionTimestamp" not in found["metadata"]
    assert "status" not in found
    assert found["spec"] == spec


@given(specs, specs, metadatas)
def test_generation_rises_with_the_contents_and_with_nothing_else(first, second, metadata):
    old = created(thing(spec=first))
    for part in ("uid", "deletionTimestamp"):
        metadata.pop(part, None)
    new = thing(spec=second, status={"s": 1})
    new["metadata"] |= metadata
    updated = prepare_update(THING, old, new)

    assert updated["metadata"]["generation"] == (1 if first == second else 2)
    assert updated["metadata"]["creationTimestamp"] == NOW
    assert updated["metadata"]["uid"] == "u1"
    assert "status" not in updated


@given(specs, metadatas)
def test_a_status_write_changes_the_status_only(spec, metadata):
    old = created(thing(spec={"a": 1}))
    new = thing(spec=spec, status={"s": 1})
    metadata.pop("uid", None)
    new["metadata"] |= metadata
    updated = prepare_update(THING, old, new, subresource="status")

    assert updated["status"] == {"s": 1}
    assert updated["spec"] == {"a": 1}
    assert updated["metadata"] == old["metadata"]


@pytest.mark.parametrize("part", ["uid", "deletionTimestamp", "deletionGracePeriodSeconds"])
def test_what_the_server_set_once_no_writer_changes(part):
    new = thing()
    new["metadata"][part] = "other"
    with pytest.raises(ApiFault) as fault:
        prepare_update(THING, created(), new)
    assert fault.value.code == 422
    assert f"metadata.{part}" in str(fault.value)


@given(specs)
def test_writing_what_is_there_changes_nothing(spec):
    old = created(thing(spec=spec))
    updated = prepare_update(THING, old, copy(old))
    assert is_unchanged(old, updated)
    assert not content_differs(old, updated)


def test_times_in_managed_fields_are_no_change():
    old = created()
    old["metadata"]["managedFields"] = [{"manager": "a", "time": NOW}]
    new = copy(old)
    new["metadata"]["managedFields"][0]["time"] = LATER
    assert is_unchanged(old, new)
    new["metadata"]["managedFields"][0]["manager"] = "b"
    assert not is_unchanged(old, new)


def test_deletion_waits_for_finalizers():
    held = created()
    held["metadata"]["finalizers"] = ["a/b"]
    marked = prepare_delete(THING, held, propagation="", now=LATER)
    assert marked["metadata"]["deletionTimestamp"] == LATER
    assert not must_go(marked)
    free = prepare_delete(THING, created(), propagation="Background", now=LATER)
    assert must_go(free)
    again = prepare_delete(THING, marked, propagation="", now="2027-01-01T00:00:00Z")
    assert again == marked


@pytest.mark.parametrize(
    ("propagation", "finalizers"),
    [("Orphan", ["a/b", "orphan"]), ("Foreground", ["a/b", "foregroundDeletion"])],
)
def test_propagation_becomes_a_finalizer(propagation, finalizers):
    held = created()
    held["metadata"]["finalizers"] = ["a/b"]
    marked = prepare_delete(THING, held, propagation=propagation, now=LATER)
    assert marked["metadata"]["finalizers"] == finalizers


def test_a_namespace_is_held_until_it_is_empty():
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
    made = prepare_create(NAMESPACE, manifest, "", now=NOW, uid="u", suffix="")
    marked = prepare_delete(NAMESPACE, made, propagation="", now=LATER)
    assert marked["status"] == {"phase": "Terminating"}
    assert not must_go(marked)
    assert must_go({**marked, "spec": {"finalizers": []}})


@given(st.text(st.characters(codec="ascii", categories=["Ll"]), max_size=80))
def test_a_generated_name_fits_a_label(prefix):
    assert len(generate_name(prefix, "abcde")) <= 63
