"""What the hub exports and imports, as workers in members have to know it."""

from typing import Any

from services.propagator.apply.exports.interest import Interest
from shared.api.multicluster import SERVICES_API, export_key, import_key
from shared.apimachinery.manifest import ObjectKey
from shared.store.memory import MemoryStore


def named(key: ObjectKey, kind: str) -> dict[str, Any]:
    metadata = {"namespace": key.namespace, "name": key.name}
    return {"apiVersion": SERVICES_API, "kind": kind, "metadata": metadata}


async def test_a_namespace_is_of_interest_for_as_long_as_something_of_it_is_imported() -> None:
    store = MemoryStore()
    interest = Interest(store.mirror)
    told: list[tuple[str, str] | None] = []
    interest.listen(told.append)
    exported = export_key("shop", "web")
    export = await store.create(exported, named(exported, "ServiceExport"))
    assert interest.exports == {("shop", "web")}
    imports = [import_key("shop", "web"), import_key("shop", "db")]
    made = [await store.create(one, named(one, "ServiceImport")) for one in imports]
    assert set(interest.imported) == {"shop"}
    assert told == [("shop", "web"), None]

    await store.delete(imports[0], made[0].manifest, expected=made[0].revision)
    assert set(interest.imported) == {"shop"}
    await store.delete(imports[1], made[1].manifest, expected=made[1].revision)
    await store.delete(exported, export.manifest, expected=export.revision)
    assert (interest.exports, set(interest.imported)) == (set(), set())
    assert told == [("shop", "web"), None, None, ("shop", "web")]
