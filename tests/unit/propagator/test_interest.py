"""What the hub exports and imports, as workers in members have to know it."""

from typing import Any

from services.propagator.apply.exports.interest import Interest
from shared.api.multicluster import SERVICES_API, export_key, import_key
from shared.apimachinery.manifest import ObjectKey
from shared.store.memory import MemoryStore


def named(key: ObjectKey, kind: str) -> dict[str, Any]:
    metadata = {"namespace": key.namespace, "name": key.name}
    return {"apiVersion": SERVICES_API, "kind": kind, "metadata": metadata}


async def test_a_namespace_stays_of_interest_when_its_import_is_deleted() -> None:
    store = MemoryStore()
    interest = Interest(store.mirror)
    told: list[tuple[str, str] | None] = []
    interest.listen(told.append)
    imported, exported = import_key("shop", "web"), export_key("shop", "web")

    export = await store.create(exported, named(exported, "ServiceExport"))
    made = await store.create(imported, named(imported, "ServiceImport"))
    assert (interest.exports, interest.imported) == ({("shop", "web")}, {"shop"})
    assert told == [("shop", "web"), None]

    await store.delete(imported, made.manifest, expected=made.revision)
    await store.delete(exported, export.manifest, expected=export.revision)
    assert (interest.exports, interest.imported) == (set(), {"shop"})
    assert told == [("shop", "web"), None, ("shop", "web")]
