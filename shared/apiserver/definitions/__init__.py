"""Whether a CustomResourceDefinition keeps its rules, and its defaults. Pure.

Faults name the field and say what is wrong as kube-apiserver does, so that a user's tools, and
memory, understand them. That server reads what is alike in all versions into fields of the
definition's own and names those (`spec.validation`, `spec.subresources`); so do these faults.

`naming` group and names · `structural` the shape of a schema · `keywords` what it may say ·
`rules` its rules in CEL · `versions` what belongs to one version · `conversion` between them
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apiserver.definitions.conversion import check_conversion
from shared.apiserver.definitions.naming import check_approval, check_group, check_names
from shared.apiserver.definitions.reading import at, mappings
from shared.apiserver.definitions.versions import check_versions
from shared.apiserver.semantics.faults import invalid
from shared.errors import FieldError

_NO_STORED = "must have at least one stored version"


def with_defaults(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return *spec* with what follows from the rest: singular, list kind, conversion."""
    changed = dict(spec)
    names = changed.get("names")
    if isinstance(names, Mapping) and isinstance(names.get("kind"), str) and names["kind"]:
        kind = names["kind"]
        given = {name: value for name, value in names.items() if value != ""}
        changed["names"] = {"singular": kind.lower(), "listKind": f"{kind}List", **given}
    if changed.get("conversion") is None:
        changed["conversion"] = {"strategy": "None"}
    service = at(changed, "conversion", "webhook", "clientConfig", "service")
    if isinstance(service, dict) and service.get("port") is None:
        conversion = changed["conversion"]
        webhook = conversion["webhook"]
        client = {**webhook["clientConfig"], "service": {**service, "port": 443}}
        changed["conversion"] = {**conversion, "webhook": {**webhook, "clientConfig": client}}
    return changed


def check_definition(manifest: Manifest, old: Manifest | None = None) -> list[FieldError]:
    """Return every fault of the definition; empty for a valid one.

    *old*: what it replaces. Rules in CEL that are as they were are not judged again.
    """
    spec = manifest.get("spec")
    spec = spec if isinstance(spec, Mapping) else {}
    return [
        *check_group(spec, manifest),
        *check_versions(spec, (old or {}).get("spec") or {}),
        *check_names(spec.get("names")),
        *check_conversion(spec.get("conversion")),
        *_check_stored(manifest, spec),
        *check_approval(spec, manifest, old),
        *_check_pruning(spec),
    ]


def check_definition_update(old: Manifest, new: Manifest) -> list[FieldError]:
    """Return what the update may not change: established names stay, stored versions stay."""
    before, after = old.get("spec") or {}, new.get("spec") or {}
    return [
        invalid("spec." + ".".join(path), at(after, *path), "field is immutable")
        for path in (("scope",), ("names", "kind"), ("group",), ("names", "plural"))
        if at(before, *path) != at(after, *path)
    ]


def _check_stored(manifest: Manifest, spec: Mapping[str, Any]) -> Iterator[FieldError]:
    """A version in which objects lie in the store must stay declared."""
    versions = mappings(spec.get("versions"))
    storage = [version.get("name") for version in versions if version.get("storage")]
    known = at(manifest, "status", "storedVersions")
    # From now on objects lie there too.
    stored = [*known, *(one for one in storage if one not in known)] if known else storage[:1]
    path = "status.storedVersions"
    if not stored:
        yield invalid(path, None, _NO_STORED)
        return
    for name in storage:
        if name not in stored:
            yield invalid(path, stored, f"must have the storage version {name}")
    declared = {str(version.get("name")) for version in versions}
    for place, name in enumerate(stored):
        if str(name) not in declared:
            yield invalid(
                f"{path}[{place}]",
                name,
                f"missing from spec.versions; {name} was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                f"persisted in {name} and removes {name} from status.storedVersions",
            )


def _check_pruning(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    if spec.get("preserveUnknownFields"):
        why = (
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead"
        )
        yield invalid("spec.preserveUnknownFields", True, why)
