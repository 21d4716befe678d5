"""Write `shared/apiserver/requests/wire_facts.json`: built-in kinds in Kubernetes' protobuf.

Typed Go clients (and `kubectl create deployment` since 1.32) send protobuf and take JSON back. The
Go types say everything a decoder needs: number, JSON name, and whether zero means absent.

    python scripts/wire_facts.py FOLDER

FOLDER holds checkouts of the modules of k8s.io that PACKAGES names (`staging/src/k8s.io` of
Kubernetes does). The result names fields and numbers only, no prose.
"""

import json
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from shared.apiserver.builtin import builtin_kinds

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "shared" / "apiserver" / "requests" / "wire_facts.json"

META = "meta/v1"
# Packages outside k8s.io/api, and where they lie.
PACKAGES = {
    META: "apimachinery/pkg/apis/meta/v1",
    "apiextensions/v1": "apiextensions-apiserver/pkg/apis/apiextensions/v1",
    "apiregistration/v1": "kube-aggregator/pkg/apis/apiregistration/v1",
}
# Types whose JSON is not that of their fields; the decoder knows them by these names.
SPECIAL = {
    "meta/v1.Time": "time",
    "meta/v1.MicroTime": "microtime",
    "meta/v1.Duration": "duration",
    "meta/v1.FieldsV1": "raw",
    "runtime.RawExtension": "raw",
    "apiextensions/v1.JSON": "raw",
    "resource.Quantity": "quantity",
    "intstr.IntOrString": "intorstring",
}
SCALARS = {
    "string": "string",
    "bool": "bool",
    "int": "int",
    "int32": "int",
    "int64": "int",
    "uint8": "int",
    "uint16": "int",
    "uint32": "int",
    "uint64": "int",
    "float64": "double",
    "[]byte": "bytes",
    "types.UID": "string",
    "types.NodeName": "string",
}
# Kinds that are asked for beside the stored ones.
EXTRA_KINDS = {
    "autoscaling/v1 Scale": "autoscaling/v1.Scale",
    "policy/v1 Eviction": "policy/v1.Eviction",
    "authentication.k8s.io/v1 TokenRequest": "authentication/v1.TokenRequest",
    "meta.k8s.io/v1 DeleteOptions": "meta/v1.DeleteOptions",
}

_FIELD = re.compile(r"^\t(?:(\w+)\s+)?(\S+)\s+`([^`]*)`")
_NAMED = re.compile(r"^type (\w+) ([^\s{]+)\s*$")
_IMPORT = re.compile(r'^(?:import |\t)(?:(\w+) )?"([^"]+)"')
_MAP = re.compile(r"map\[[^\]]+\](.+)")


@dataclass
class Package:
    """One Go package: what its types are, and what its imports are called."""

    name: str
    imports: dict[str, str] = field(default_factory=dict)
    structs: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    named: dict[str, str] = field(default_factory=dict)


def short_package(path: str) -> str:
    """`k8s.io/api/apps/v1` is `apps/v1`, `.../pkg/apis/meta/v1` is `meta/v1`."""
    for prefix in ("k8s.io/api/", "k8s.io/apimachinery/pkg/apis/"):
        if path.startswith(prefix):
            return path.removeprefix(prefix)
    return path.rsplit("/", 1)[-1]


def read_package(name: str, folder: Path) -> Package:
    package = Package(name)
    for path in sorted(folder.glob("*.go")):
        if path.name.startswith("types") and "test" not in path.name and "swagger" not in path.name:
            read_file(package, path.read_text(encoding="utf-8"))
    return package


def read_file(package: Package, text: str) -> None:
    current: list[tuple[str, str]] | None = None
    for line in text.splitlines():
        if current is not None:
            if line.startswith("}"):
                current = None
            elif (found := _FIELD.match(line)) and "protobuf:" in found[3]:
                current.append((found[2], found[3]))
        elif found := re.match(r"^type (\w+) struct ?\{(\}?)", line):
            fields = package.structs.setdefault(found[1], [])
            current = None if found[2] else fields
        elif found := _NAMED.match(line):
            package.named[found[1]] = found[2]
        elif found := _IMPORT.match(line):
            package.imports[found[1] or found[2].rsplit("/", 1)[-1]] = short_package(found[2])


class Facts:
    """Collects the messages that kinds reach."""

    def __init__(self, packages: dict[str, Package]) -> None:
        self._packages = packages
        self.messages: dict[str, dict[str, list[str]]] = {}

    def add(self, name: str) -> None:
        """Add the struct *name* (`apps/v1.Deployment`) and all it holds."""
        if name in self.messages:
            return
        self.messages[name] = fields = {}
        package_name, _, type_name = name.rpartition(".")
        package = self._packages[package_name]
        for go_type, tag in package.structs[type_name]:
            number = re.search(r'protobuf:"[^",]*,(\d+)', tag)
            # What is one thing or another has no names in JSON.
            names = re.search(r'json:"([^"]*)"', tag) or re.search(r"name=(\w+)", tag)
            if names is None or number is None:
                raise ValueError(f"{name}: cannot read {tag}")
            json_name, *options = names[1].split(",")
            flags = "" if json_name else "i"
            flags += "o" if {"omitempty", "omitzero"} & set(options) else ""
            if go_type.startswith("*"):
                flags += "p"
            if json_name != "-":
                fields[number[1]] = [json_name, *self.resolve(package, go_type.lstrip("*"), flags)]

    def resolve(self, package: Package, go_type: str, flags: str) -> tuple[str, str]:
        """Return the wire type of a Go type, and its flags: r repeated, m map."""
        if go_type in SCALARS:
            return SCALARS[go_type], flags
        if go_type.startswith("[]"):
            return self.resolve(package, go_type[2:].lstrip("*"), flags + "r")
        if found := _MAP.fullmatch(go_type):
            if found[1].startswith("[]") and found[1] not in SCALARS:
                return "strings", flags + "m"
            return self.resolve(package, found[1], flags + "m")
        prefix, _, name = go_type.rpartition(".")
        package_name = package.imports[prefix] if prefix else package.name
        full = f"{package_name}.{name}"
        if full in SPECIAL:
            return SPECIAL[full], flags
        owner = self._packages.get(package_name)
        if owner is None:
            raise ValueError(f"{package.name}: unknown package of {go_type}")
        if name in owner.named:
            underlying = owner.named[name]
            if underlying == "[]string":
                # A named list is a message of its own, with the items in field 1.
                return "strings", flags
            return self.resolve(owner, underlying, flags)
        self.add(full)
        return full, flags


def main(folder: Path) -> None:
    packages = {
        str(found.relative_to(folder / "api")): read_package(
            str(found.relative_to(folder / "api")), found
        )
        for found in sorted((folder / "api").glob("*/*"))
        if found.is_dir()
    }
    packages |= {name: read_package(name, folder / path) for name, path in PACKAGES.items()}
    facts = Facts(packages)
    kinds = dict(EXTRA_KINDS)
    for gvk in sorted(kind.gvk for kind in builtin_kinds()):
        package = f"{gvk.group.partition('.')[0] or 'core'}/{gvk.version}"
        if package in packages and gvk.kind in packages[package].structs:
            kinds[f"{gvk.api_version} {gvk.kind}"] = f"{package}.{gvk.kind}"
        else:
            sys.stderr.write(f"not in k8s.io/api: {gvk.api_version} {gvk.kind}\n")
    for name in kinds.values():
        facts.add(name)
    result = {
        "kinds": dict(sorted(kinds.items())),
        "messages": dict(sorted(facts.messages.items())),
    }
    RESULT.write_text(json.dumps(result, separators=(",", ":")) + "\n")
    sys.stderr.write(f"{len(kinds)} kinds, {len(facts.messages)} messages\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
