"""Write `shared/apimachinery/facts/kubernetes.json`: the built-in kinds' schemas, without prose.

Reads the definitions that the package kubernetes-validate carries (extra `schemas`) and keeps what
is a fact: types, formats, required fields, references, and the `x-kubernetes-*` extensions that say
how lists merge. Run it after changing VERSION:

    pip install '.[schemas]' && python scripts/schema_facts.py
"""

import importlib.util
import json
from pathlib import Path
from typing import Any

VERSION = "1.36"
TARGET = Path(__file__).parents[1] / "shared" / "apimachinery" / "facts" / "kubernetes.json"

# Their upstream form is a union that says less than Kubernetes means.
SPECIAL = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": {
        "format": "int-or-string",
        "x-kubernetes-int-or-string": True,
    },
    "io.k8s.apimachinery.pkg.api.resource.Quantity": {
        "x-kubernetes-int-or-string": True,
        "format": "quantity",
    },
}
KEPT = (
    "format",
    "required",
    "enum",
    "default",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-patch-merge-key",
    "x-kubernetes-patch-strategy",
    "x-kubernetes-unions",
    "x-kubernetes-group-version-kind",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
)
# Required by the published schema, but filled in or taken as zero by every kube-apiserver.
LENIENT = {
    "io.k8s.api.apps.v1.ControllerRevision": {"revision"},
    "io.k8s.api.core.v1.Event": {"involvedObject", "metadata"},
    "io.k8s.api.discovery.v1.EndpointSlice": {"endpoints"},
    "io.k8s.api.rbac.v1.RoleRef": {"apiGroup"},
    "io.k8s.api.scheduling.v1.PriorityClass": {"value"},
}
# Hold any object; said outright, since in a custom kind's schema the same words allow nothing.
OPEN = {
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
    "io.k8s.apimachinery.pkg.runtime.RawExtension",
}
# Every object has them, and each kind allows one value only: no reader learns anything.
TYPE_META = {"apiVersion", "kind"}


def main() -> None:
    definitions = json.loads(_source().read_text())["$defs"]
    facts = {name: facts_of(name, schema) for name, schema in sorted(definitions.items())}
    document = {"version": VERSION, "definitions": facts}
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(document, separators=(",", ":"), sort_keys=True) + "\n")
    print(f"{len(facts)} definitions, {TARGET.stat().st_size} bytes")


def _source() -> Path:
    found = importlib.util.find_spec("kubernetes_validate")
    if found is None or found.origin is None:
        raise SystemExit("kubernetes-validate is not installed: pip install '.[schemas]'")
    folder = Path(found.origin).parent / "kubernetes-json-schema"
    return folder / f"v{VERSION}.0-local" / "_definitions.json"


def facts_of(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    if name in SPECIAL:
        return SPECIAL[name]
    trimmed = trim(schema)
    if name in OPEN:
        trimmed["x-kubernetes-preserve-unknown-fields"] = True
    if name in LENIENT:
        trimmed["required"] = sorted(set(trimmed.get("required", ())) - LENIENT[name])
        if not trimmed["required"]:
            del trimmed["required"]
    return trimmed


def trim(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of one schema, with `null` taken out of its types."""
    trimmed: dict[str, Any] = {key: schema[key] for key in KEPT if key in schema}
    if "$ref" in schema:
        trimmed["$ref"] = "#/definitions/" + schema["$ref"].rpartition("/")[2]
    kinds = schema.get("type")
    if kinds is not None:
        named = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds) if kind != "null"]
        trimmed["type"] = named[0]
    if "properties" in schema:
        trimmed["properties"] = {
            name: {"type": "string"} if name in TYPE_META and _is_object(schema) else trim(each)
            for name, each in schema["properties"].items()
        }
        trimmed.setdefault("type", "object")
    for nested in ("items", "additionalProperties"):
        if isinstance(schema.get(nested), dict):
            trimmed[nested] = trim(schema[nested])
    if "enum" in trimmed:
        trimmed["enum"] = [value for value in trimmed["enum"] if value is not None]
    return trimmed


def _is_object(schema: dict[str, Any]) -> bool:
    return "x-kubernetes-group-version-kind" in schema


if __name__ == "__main__":
    main()
