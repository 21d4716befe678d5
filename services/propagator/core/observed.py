"""What a worker reads of an object it saw in a member: enough to tell ours, new and drifted.

Most of what a watch shows is an echo of our own applies, so an object is read in two steps: its
metadata at once, its spec and status only for whoever asks.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import msgspec

from services.propagator.core.marks import (
    ADOPTED,
    applied_entry,
    is_scaled_by_controller,
    work_generation_of,
)
from shared.apimachinery.manifest import GroupVersionKind, Manifest, metadata_of
from shared.errors import MemberUnreachable
from shared.events.orders import MANAGED_LABEL, WORK_GENERATION
from shared.memberapi.request import FIELD_MANAGER

_NONE: dict[str, str] = {}


@dataclass(frozen=True, slots=True)
class Observed:
    """`fields_digest` is over what we own in it; empty where we never applied."""

    uid: str
    resource_version: str
    work_generation: int
    labelled: bool
    fields_digest: str
    autoscaled: bool = False
    """An autoscaler set the replicas last, though it may be gone since."""
    adopted: bool = False
    """It was there before Hanse took it over."""
    fields_hash: int = field(default=0, compare=False)
    """Of the same as it was written: equal within one process means nothing changed."""

    @property
    def ours(self) -> bool:
        """Whether Hanse holds it: by its label, or by the fields it applied (`is_managed`)."""
        return self.labelled or bool(self.fields_digest)


class _Entry(msgspec.Struct, rename="camel"):
    manager: str = ""
    operation: str = ""
    subresource: str | None = None
    fields_v1: msgspec.Raw = msgspec.field(default=msgspec.Raw(b"{}"), name="fieldsV1")


class SeenObject(Protocol):
    """An object of a member, read as far as somebody needs."""

    @property
    def metadata(self) -> "SeenMetadata": ...


class SeenMetadata(Protocol):
    @property
    def resource_version(self) -> str: ...


class _Metadata(msgspec.Struct, rename="camel"):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    deletion_timestamp: str | None = None
    finalizers: list[str] | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    managed_fields: list[_Entry] | None = None


class _Scaled(msgspec.Struct):
    replicas: int | None = None


_decode_scaled = msgspec.json.Decoder(_Scaled).decode


class LiveObject(msgspec.Struct, rename="camel"):
    """An object of a member, read as far as its metadata."""

    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    spec: msgspec.Raw = msgspec.Raw(b"null")
    status: msgspec.Raw = msgspec.Raw(b"null")

    def observe(self, before: Observed | None = None) -> Observed:
        """The same as `observe` of the whole manifest, cheaper where *before* is as now."""
        metadata = self.metadata
        annotations = metadata.annotations or _NONE
        generation = annotations.get(WORK_GENERATION) or ""
        digest, fields_hash = "", 0
        for entry in metadata.managed_fields or ():
            if (
                entry.manager == FIELD_MANAGER
                and entry.operation == "Apply"
                and not entry.subresource
            ):
                fields_hash = hash(bytes(entry.fields_v1))
                if before is not None and before.fields_hash == fields_hash:
                    digest = before.fields_digest
                else:
                    # Servers differ in how they escape: compare what it says, not how.
                    digest = _digest(msgspec.json.decode(entry.fields_v1))
                break
        return Observed(
            uid=metadata.uid,
            resource_version=metadata.resource_version,
            work_generation=int(generation) if generation.isdecimal() else 0,
            labelled=(metadata.labels or {}).get(MANAGED_LABEL) == "true",
            fields_digest=digest,
            autoscaled=any(
                is_scaled_by_controller(entry.manager, entry.subresource)
                for entry in metadata.managed_fields or ()
            ),
            adopted=ADOPTED in annotations,
            fields_hash=fields_hash,
        )

    @property
    def replicas(self) -> int | None:
        """What its spec says of them; None where it says nothing, or no number."""
        try:
            return _decode_scaled(self.spec).replicas
        except msgspec.ValidationError:
            return None

    def manifest_for_status(self, gvk: GroupVersionKind) -> Manifest:
        """As much of the manifest as health and status are judged by.

        A list's items do not say their kind, so the caller does.
        """
        metadata: dict[str, Any] = {
            "name": self.metadata.name,
            "namespace": self.metadata.namespace,
            "generation": self.metadata.generation,
            "labels": self.metadata.labels or {},
            "annotations": self.metadata.annotations or {},
        }
        if self.metadata.deletion_timestamp:
            metadata["deletionTimestamp"] = self.metadata.deletion_timestamp
            metadata["finalizers"] = self.metadata.finalizers or []
        return {
            "apiVersion": gvk.api_version,
            "kind": gvk.kind,
            "metadata": metadata,
            "spec": msgspec.json.decode(self.spec),
            "status": msgspec.json.decode(self.status),
        }


Part = TypeVar("Part")


def reader_of(part: type[Part]) -> Callable[[bytes], Part]:
    """Return what reads *part* of an object that a member sent.

    It raises `MemberUnreachable` for what is no object: something else answered in its name.
    """
    decode = msgspec.json.Decoder(part).decode

    def read(body: bytes) -> Part:
        try:
            return decode(body)
        except msgspec.DecodeError as err:
            raise MemberUnreachable("the member sent something that is no object") from err

    return read


read_live = reader_of(LiveObject)


def observe(manifest: Manifest) -> Observed:
    metadata = metadata_of(manifest)
    entry = applied_entry(manifest)
    return Observed(
        uid=str(metadata.get("uid") or ""),
        resource_version=str(metadata.get("resourceVersion") or ""),
        work_generation=work_generation_of(manifest),
        labelled=(metadata.get("labels") or {}).get(MANAGED_LABEL) == "true",
        fields_digest="" if entry is None else _digest(entry.get("fieldsV1") or {}),
        autoscaled=any(
            is_scaled_by_controller(str(each.get("manager") or ""), each.get("subresource"))
            for each in metadata.get("managedFields") or ()
        ),
        adopted=ADOPTED in (metadata.get("annotations") or _NONE),
    )


def is_newer(version: str, than: str) -> bool:
    """Whether resourceVersion *version* is later. What is not a number is taken for later."""
    if not (version.isdecimal() and than.isdecimal()):
        return version != than
    return int(version) > int(than)


def is_overtaken(listed_at: str, live: LiveObject, seen: Observed | None) -> bool:
    """Whether a list, or what it shows of an object, is older than the last look at that.

    Or the member's history is: it came back from a backup, and counts on from there, or from a
    higher number that whoever restored it chose. *listed_at*: the list's own resourceVersion.
    """
    if seen is None:
        return False
    metadata = live.metadata
    return is_newer(seen.resource_version, listed_at) or (
        seen.uid == metadata.uid and is_newer(seen.resource_version, metadata.resource_version)
    )


def _digest(fields: Manifest) -> str:
    """Of what is owned, in whatever order a server names it."""
    body = msgspec.json.encode(fields, order="deterministic")
    return hashlib.blake2b(body, digest_size=8).hexdigest()
