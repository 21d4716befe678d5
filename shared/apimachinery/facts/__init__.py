"""The built-in kinds' schemas as a file of facts, read once.

`kubernetes.json` is written by `scripts/schema_facts.py`. References within it are
`#/definitions/<name>`; `definitions` resolves them.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from shared.apimachinery.manifest import GroupVersionKind


@cache
def _document() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("kubernetes.json").read_bytes()
    found: dict[str, Any] = msgspec.json.decode(text)
    return found


def kubernetes_version() -> str:
    """The Kubernetes version the facts are of, such as `1.36`."""
    return str(_document()["version"])


def definitions() -> Mapping[str, Mapping[str, Any]]:
    """Every schema by its name (`io.k8s.api.apps.v1.Deployment`)."""
    found: Mapping[str, Mapping[str, Any]] = _document()["definitions"]
    return found


@cache
def _names() -> dict[GroupVersionKind, str]:
    extension = "x-kubernetes-group-version-kind"
    found: dict[GroupVersionKind, str] = {}
    for name, schema in definitions().items():
        declared = [GroupVersionKind(**each) for each in schema.get(extension, ())]
        # DeleteOptions, Status and WatchEvent belong to every group: no kind of their own.
        if len(declared) == 1:
            found[declared[0]] = name
    return found


@cache
def _by_properties() -> dict[int, str]:
    return {
        id(raw["properties"]): name for name, raw in definitions().items() if "properties" in raw
    }


def definition_of(properties: Mapping[str, Any]) -> str | None:
    """Return the name of the definition that *properties* are of: these and no equal ones."""
    return _by_properties().get(id(properties))


def definition_name(gvk: GroupVersionKind) -> str | None:
    return _names().get(gvk)


def schema_of(gvk: GroupVersionKind) -> Mapping[str, Any] | None:
    """Return the schema of a built-in kind; None for a kind that is not built in."""
    name = _names().get(gvk)
    return None if name is None else definitions()[name]
