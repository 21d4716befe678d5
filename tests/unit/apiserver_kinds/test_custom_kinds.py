from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, copy
from shared.apiserver.admission import Write
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.definitions.custom import (
    DEFINITIONS,
    DefinitionAdmission,
    follow_definitions,
    kinds_of,
)
from shared.apiserver.registry import Registry
from shared.errors import InvalidObject
from shared.store.port import EVERYTHING, Change, ChangeType, Revision, Scope, Stored


class FixedClock:
    def now(self) -> datetime:
        return datetime(2031, 5, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


class ListedMirror:
    """A mirror whose content the test writes down, change by change."""

    def __init__(self) -> None:
        self.stored: dict[ObjectKey, Stored] = {}
        self.listeners: list[Callable[[Change], None]] = []
        self.revision = Revision(0)

    def get(self, key: ObjectKey) -> Stored | None:
        return self.stored.get(key)

    def items(self, scope: Scope = EVERYTHING) -> Iterable[Stored]:
        return [one for key, one in self.stored.items() if scope.covers(key)]

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)

    def put(self, definition: Manifest) -> None:
        key = ObjectKey(*DEFINITIONS, "", definition["metadata"]["name"])
        self.revision = Revision(self.revision + 1)
        new, old = Stored(key, self.revision, definition), self.stored.get(key)
        self.stored[key] = new
        type_ = ChangeType.ADDED if old is None else ChangeType.MODIFIED
        for listener in self.listeners:
            listener(Change(type_, new, old))

    def remove(self, name: str) -> None:
        gone = self.stored.pop(ObjectKey(*DEFINITIONS, "", name))
        for listener in self.listeners:
            listener(Change(ChangeType.DELETED, gone, gone))


def a_version(name: str = "v1", **changes: Any) -> dict[str, Any]:
    spec = {"type": "object", "properties": {"color": {"type": "string"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {"name": name, "served": True, "storage": True, "schema": schema, **changes}


def a_definition(plural: str = "boats", kind: str = "Boat", **spec: Any) -> Manifest:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.sea.example.org"},
        "spec": {
            "group": "sea.example.org",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [a_version()],
            **spec,
        },
    }


@pytest.fixture
def registry() -> Registry:
    return Registry(builtin_kinds())


def admitted(registry: Registry, definition: Manifest, old: Manifest | None = None) -> Manifest:
    kind = registry.preferred(DEFINITIONS)
    assert kind is not None
    new = copy(definition)
    DefinitionAdmission(registry, FixedClock()).admit(Write(kind, old, new))
    return new


def condition(definition: Manifest, type_: str) -> dict[str, Any]:
    return next(one for one in definition["status"]["conditions"] if one["type"] == type_)


def test_every_served_version_becomes_a_kind():
    columns = [{"name": "Color", "type": "string", "jsonPath": ".spec.color"}]
    definition = a_definition(
        versions=[
            a_version("v2", additionalPrinterColumns=columns, subresources={"status": {}}),
            a_version("v1", storage=False, selectableFields=[{"jsonPath": ".spec.color"}]),
            a_version("v1alpha1", storage=False, served=False),
        ]
    )

    newest, older = kinds_of(definition)

    assert newest.gvk == GroupVersionKind("sea.example.org", "v2", "Boat")
    assert [column.name for column in newest.columns] == ["Color"]
    assert newest.has_status
    assert newest.custom
    assert older.selectable_fields == ("spec.color",)
    assert not older.has_status
    assert older.group_resource == newest.group_resource


def test_the_authors_schema_is_shared_not_copied():
    definition = a_definition()
    (kind,) = kinds_of(definition)

    declared = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert kind.schema is not None
    assert kind.schema["properties"]["spec"] is declared["properties"]["spec"]


WEBHOOK = {"conversionReviewVersions": ["v1"], "clientConfig": {"url": "https://a.example/c"}}


def test_with_a_conversion_webhook_only_the_storage_version_is_served(registry: Registry):
    definition = a_definition(
        conversion={"strategy": "Webhook", "webhook": WEBHOOK},
        versions=[a_version("v1"), a_version("v2", storage=False)],
    )
    kind = registry.preferred(DEFINITIONS)
    assert kind is not None

    warnings = DefinitionAdmission(registry, FixedClock()).admit(Write(kind, None, definition))

    assert [found.gvk.version for found in kinds_of(definition)] == ["v1"]
    assert "spec.conversion" in warnings[0]


def test_a_definition_is_established_when_it_is_admitted(registry: Registry):
    definition = admitted(registry, a_definition())

    assert condition(definition, "Established")["status"] == "True"
    assert condition(definition, "NamesAccepted")["reason"] == "NoConflicts"
    assert definition["status"]["acceptedNames"]["listKind"] == "BoatList"
    assert definition["status"]["storedVersions"] == ["v1"]
    assert admitted(registry, definition, old=definition) == definition


def test_storage_versions_of_the_past_are_remembered(registry: Registry):
    old = admitted(registry, a_definition())
    versions = [a_version("v1", storage=False), a_version("v2")]

    new = admitted(registry, a_definition(versions=versions), old=old)

    assert new["status"]["storedVersions"] == ["v1", "v2"]


def test_a_broken_definition_is_refused_with_its_fields(registry: Registry):
    with pytest.raises(InvalidObject) as refused:
        admitted(registry, a_definition(scope="Ocean"))

    assert [fault.path for fault in refused.value.fields] == ["spec.scope"]


def test_a_name_in_use_is_not_accepted(registry: Registry):
    registry.put_custom("boats.sea.example.org", kinds_of(a_definition()))

    definition = admitted(registry, a_definition(plural="vessels", kind="Boat"))

    assert condition(definition, "NamesAccepted")["status"] == "False"
    # Of several conflicts the last is told, as kube-apiserver does.
    assert condition(definition, "NamesAccepted")["reason"] == "ListKindConflict"
    assert definition["status"]["acceptedNames"]["plural"] == "vessels"
    assert condition(definition, "Established")["status"] == "False"


def test_the_registry_follows_the_definitions(registry: Registry):
    mirror = ListedMirror()
    mirror.put(admitted(registry, a_definition()))
    stop = follow_definitions(registry, mirror)
    generation = registry.generation

    mirror.put(admitted(registry, a_definition("ships", "Ship")))
    assert registry.by_resource("sea.example.org", "v1", "ships") is not None

    labelled = admitted(registry, a_definition("ships", "Ship"))
    labelled["metadata"]["labels"] = {"a": "b"}
    mirror.put(labelled)
    assert registry.generation == generation + 1

    mirror.remove("boats.sea.example.org")
    assert registry.by_resource("sea.example.org", "v1", "boats") is None

    stop()
    mirror.remove("ships.sea.example.org")
    assert registry.by_resource("sea.example.org", "v1", "ships") is not None


def test_a_definition_whose_names_are_taken_is_not_served(registry: Registry):
    mirror = ListedMirror()
    follow_definitions(registry, mirror)
    mirror.put(admitted(registry, a_definition()))
    mirror.put(admitted(registry, a_definition("vessels", "Boat")))

    assert registry.by_resource("sea.example.org", "v1", "vessels") is None


def test_a_broken_definition_in_the_store_harms_nobody_else(registry: Registry):
    mirror = ListedMirror()
    broken = a_definition("ships", "Ship")
    del broken["spec"]["versions"]
    mirror.put(broken)
    mirror.put(admitted(registry, a_definition()))

    follow_definitions(registry, mirror)

    assert registry.versions("sea.example.org") == ("v1",)
    assert [kind.resource for kind in registry.kinds_of("sea.example.org", "v1")] == ["boats"]
