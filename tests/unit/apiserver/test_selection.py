from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import GroupVersionKind, ObjectKey
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.selection import read_selection, seen_change
from shared.store.memory import MemoryStore
from shared.store.port import ChangeType, Revision, Scope

KIND = ResourceKind(
    gvk=GroupVersionKind("", "v1", "ConfigMap"),
    resource="configmaps",
    singular="configmap",
    namespaced=True,
)
steps = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from(["gold", "iron", "gone"])), max_size=12
)


@given(steps, st.sampled_from(["tier=gold", "tier!=gold", "tier", "!tier", ""]))
async def test_what_a_watcher_saw_adds_up_to_what_a_list_shows(changes, selector):
    """Replaying seen events gives exactly the objects that match at the end."""
    store = MemoryStore()
    selection = read_selection(KIND, selector, "")
    for name, tier in changes:
        key = ObjectKey("", "configmaps", "default", name)
        manifest = {"metadata": {"name": name, "labels": {"tier": tier}}}
        found = await store.get(key)
        if tier == "gone":
            if found is not None:
                await store.delete(key, found.manifest, expected=found.revision)
        elif found is None:
            await store.create(key, manifest)
        else:
            await store.update(key, manifest, expected=found.revision)

    seen: dict[str, Revision] = {}
    async with store.watch(Scope(), since=Revision(0)) as watch:
        while watch.revision < store.mirror.revision:
            visible = seen_change(await anext(watch), selection)
            if visible is None:
                continue
            change, stored = visible
            if change is ChangeType.DELETED:
                assert stored.key.name in seen, "nothing goes that had not come"
                del seen[stored.key.name]
            else:
                assert (change is ChangeType.MODIFIED) == (stored.key.name in seen)
                seen[stored.key.name] = stored.revision
    matching = {
        one.key.name: one.revision for one in store.mirror.items() if selection.matches(one)
    }
    assert seen == matching
