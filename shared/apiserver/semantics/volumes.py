"""The volumes of a pod: each has a name of its own and one source."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.parts import entries, section
from shared.apimachinery.quantity import parse_quantity
from shared.apiserver.semantics.claims import claim_spec
from shared.apiserver.semantics.environment import (
    VOLUME_FIELDS,
    field_reference,
    resource_reference,
)
from shared.apiserver.semantics.faults import (
    driver_name,
    duplicate,
    file_mode,
    forbidden,
    invalid,
    named,
    required,
    text,
    unsupported,
)
from shared.errors import FieldError

HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)
_PROJECTED = ("secret", "configMap", "downwardAPI", "serviceAccountToken")
_SECONDS_MIN, _SECONDS_MAX = 600, 2**32


def volumes(
    found: Sequence[Mapping[str, Any]], path: str, claims: frozenset[str]
) -> tuple[Mapping[str, bool], list[FieldError]]:
    """Return the sound volumes (whether each is a claim), and the faults of the others.

    *claims*: names of claim templates, which take the place of volumes of that name.
    """
    known, faults = dict.fromkeys(claims, True), []
    for number, one in enumerate(found):
        name = str(one.get("name") or "")
        if name in claims:
            continue
        at = f"{path}[{number}]"
        wrong = [*_source(one, at), *named(one, at, texts.label)]
        if name in known:
            wrong.append(duplicate(f"{at}.name", name))
        if not wrong:
            known[name] = "persistentVolumeClaim" in one or "ephemeral" in one
        faults += wrong
    return known, faults


def _source(volume: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    kinds = [name for name, value in volume.items() if name != "name" and value is not None]
    if not kinds:
        yield required(path, "must specify a volume type")
        return
    kind, *others = sorted(kinds, key=_order)
    source, at = section(volume, kind), f"{path}.{kind}"
    judge = _JUDGES.get(kind)
    if judge is not None:
        yield from judge(source, at)
    yield from (
        forbidden(f"{path}.{one}", "may not specify more than 1 volume type") for one in others
    )


def _order(kind: str) -> int:
    return list(_JUDGES).index(kind) if kind in _JUDGES else len(_JUDGES)


def _empty_dir(source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    limit = source.get("sizeLimit")
    if limit is not None and parse_quantity(limit) < 0:
        why = "SizeLimit field must be a valid resource quantity"
        yield forbidden(f"{path}.sizeLimit", why)


def host_path(source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if not source.get("path"):
        yield required(f"{path}.path")
        return
    yield from text(source["path"], f"{path}.path", texts.without_backsteps)
    kind = source.get("type")
    if kind is not None and kind not in HOST_PATH_TYPES:
        yield unsupported(f"{path}.type", kind, HOST_PATH_TYPES)


def _secret(source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from _keys(source, path, "secretName")


def _config_map(source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from _keys(source, path, "name")


def _keys(source: Mapping[str, Any], path: str, name: str) -> Iterator[FieldError]:
    if not source.get(name):
        yield required(f"{path}.{name}")
    yield from file_mode(source, path, "defaultMode")
    for number, item in enumerate(entries(source, "items")):
        at = f"{path}.items[{number}]"
        if not item.get("key"):
            yield required(f"{at}.key")
        yield from named(item, at, texts.local_file, "path")
        yield from file_mode(item, at, "mode")


def nfs(source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if not source.get("server"):
        yield required(f"{path}.server")
    place = source.get("path") or ""
    if not place:
        yield required(f"{path}.path")
    if not place.startswith("/"):
        yield invalid(f"{path}.path", place, "must be an absolute path")


def _claim(source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    if not source.get("claimName"):
        yield required(f"{path}.claimName")


def _downward(source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from file_mode(source, path, "defaultMode")
    # Upstream names the volume here, not the item.
    for item in entries(source, "items"):
        yield from named(item, path, texts.local_file, "path")
        if item.get("fieldRef") is not None:
            reference = section(item, "fieldRef")
            yield from field_reference(reference, f"{path}.fieldRef", VOLUME_FIELDS)
        elif item.get("resourceFieldRef") is not None:
            reference, at = section(item, "resourceFieldRef"), f"{path}.resourceFieldRef"
            if not reference.get("containerName"):
                yield required(f"{at}.containerName")
            else:
                yield from resource_reference(reference, at)
        else:
            yield required(path, "one of fieldRef and resourceFieldRef is required")
        yield from file_mode(item, path, "mode")


def _projected(source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from file_mode(source, path, "defaultMode")
    for number, one in enumerate(entries(source, "sources")):
        at = f"{path}.sources[{number}]"
        given = [name for name, value in one.items() if value is not None]
        for name in ("secret", "configMap"):
            if name in given:
                yield from _keys(section(one, name), f"{at}.{name}", "name")
        if "downwardAPI" in given:
            yield from _downward(section(one, "downwardAPI"), f"{at}.downwardAPI")
        if "serviceAccountToken" in given:
            yield from _token(
                section(one, "serviceAccountToken"), f"{at}.serviceAccountToken", path
            )
        if len(given) > 1:
            yield forbidden(at, "may not specify more than 1 volume type per source")


def _token(source: Mapping[str, Any], path: str, volume: str) -> Iterator[FieldError]:
    seconds = source.get("expirationSeconds")
    if isinstance(seconds, int):
        at = f"{path}.expirationSeconds"
        if seconds < _SECONDS_MIN:
            yield invalid(at, seconds, "may not specify a duration less than 10 minutes")
        if seconds > _SECONDS_MAX:
            yield invalid(at, seconds, "may not specify a duration larger than 2^32 seconds")
    # Upstream names the volume here, not the source.
    yield from named(source, volume, texts.local_file, "path")


def _csi(source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from driver_name(source, path, "driver")


def _ephemeral(source: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    at = f"{path}.volumeClaimTemplate"
    if source.get("volumeClaimTemplate") is None:
        yield required(at)
    else:
        yield from claim_spec(section(source, "volumeClaimTemplate", "spec"), f"{at}.spec")


# In the order in which upstream looks for a second one.
_JUDGES = {
    "emptyDir": _empty_dir,
    "hostPath": host_path,
    "secret": _secret,
    "nfs": nfs,
    "persistentVolumeClaim": _claim,
    "downwardAPI": _downward,
    "configMap": _config_map,
    "projected": _projected,
    "csi": _csi,
    "ephemeral": _ephemeral,
}
