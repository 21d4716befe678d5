"""What every kind of Hanse has in common: the base struct, metadata, conditions, group names.

These structs are for reading and for building one section of a manifest. Writing goes through the
manifest (`section`), so that fields a struct does not know (managedFields) survive.
"""

from typing import Any, TypeVar

import msgspec

from shared.apimachinery.manifest import Manifest
from shared.errors import FieldError, InvalidObject

GROUP = "hanse.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"


class Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A frozen value written in camelCase, without the fields that hold their default."""


class OwnerReference(Struct, frozen=True, kw_only=True):
    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(Struct, frozen=True, kw_only=True):
    """The metadata Hanse reads; times are RFC 3339 text."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: tuple[str, ...] = ()
    owner_references: tuple[OwnerReference, ...] = ()


class Condition(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """`metav1.Condition`: status is True, False or Unknown."""

    type: str
    status: str
    reason: str
    message: str = ""
    last_transition_time: str = ""
    observed_generation: int = 0


class Kind(Struct, frozen=True, kw_only=True):
    """An object of one of Hanse's kinds."""

    api_version: str = API_VERSION
    kind: str = ""
    metadata: ObjectMeta = ObjectMeta()


AnyStruct = TypeVar("AnyStruct", bound=msgspec.Struct)


def read(manifest: Manifest, struct: type[AnyStruct]) -> AnyStruct:
    """Read *manifest* as *struct*; raises `InvalidObject` naming the field."""
    try:
        return msgspec.convert(manifest, struct)
    except msgspec.ValidationError as err:
        raise _invalid(err) from err


def read_json(encoded: bytes, struct: type[AnyStruct]) -> AnyStruct:
    """`read` a manifest that is JSON yet, without making dicts of it."""
    try:
        return msgspec.json.decode(encoded, type=struct)
    except msgspec.ValidationError as err:
        raise _invalid(err) from err


def _invalid(err: msgspec.ValidationError) -> InvalidObject:
    message, _, path = str(err).partition(" - at `$")
    where = path.rstrip("`").lstrip(".")
    return InvalidObject(message, [FieldError(where, message)])


def section(value: Any) -> Any:
    """Turn a struct (or a tuple or dict of them) into plain data for a manifest.

    The result equals what is read back after it was stored: `to_builtins` would leave tuples.
    """
    return msgspec.json.decode(msgspec.json.encode(value))
