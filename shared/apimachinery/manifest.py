"""A Kubernetes object as plain data, and the names by which it is found.

A manifest is whatever JSON the user sent: never a class, so that no field is lost. The one module
where `Any` is at home. Manifests read from a store are shared: never change one, `copy` it first.
"""

from typing import Any, NamedTuple, NewType

import msgspec

Manifest = dict[str, Any]
ClusterName = NewType("ClusterName", str)
Namespace = NewType("Namespace", str)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(dict[str, Any])


def encode(manifest: Manifest) -> bytes:
    return _encoder.encode(manifest)


def decode(body: bytes | msgspec.Raw) -> Manifest:
    """Raises `msgspec.DecodeError` (a ValueError) for anything but a JSON object."""
    return _decoder.decode(body)


def copy(manifest: Manifest) -> Manifest:
    """Return a deep copy; five times as fast as `copy.deepcopy` on JSON data."""
    return _decoder.decode(_encoder.encode(manifest))


DEPTH_MAX = 200
"""Deeper than any object, and shallow enough for every walk that calls itself for what is below."""


def is_too_deep(value: Any) -> bool:
    """Whether JSON data is nested deeper than `DEPTH_MAX`; level by level."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(DEPTH_MAX + 1):
        parts = [one.values() if isinstance(one, dict) else one for one in level]
        level = [each for part in parts for each in part if isinstance(each, dict | list)]
        if not level:
            return False
    return True


class Head(msgspec.Struct, rename="camel", frozen=True):
    """What of an object's metadata tells whether anything but its status changed.

    Read from JSON in a third of the time that the whole takes: the rest is skipped, unread.
    """

    uid: Any = None
    generation: Any = None
    labels: Any = None
    annotations: Any = None
    owner_references: Any = None
    finalizers: Any = None
    deletion_timestamp: Any = None

    @classmethod
    def of(cls, manifest: Manifest) -> "Head":
        found = metadata_of(manifest)
        return cls(
            uid=found.get("uid"),
            generation=found.get("generation"),
            labels=found.get("labels"),
            annotations=found.get("annotations"),
            owner_references=found.get("ownerReferences"),
            finalizers=found.get("finalizers"),
            deletion_timestamp=found.get("deletionTimestamp"),
        )

    def same(self, other: "Head") -> bool:
        """Whether two states of an object differ in status and bookkeeping at most.

        Every change of its contents raises the generation; without one, nothing can be told.
        """
        return bool(self.generation) and self == other


class _Headed(msgspec.Struct):
    metadata: Head = Head()


_read_headed = msgspec.json.Decoder(_Headed).decode


def read_head(body: bytes) -> Head:
    """Raises `msgspec.DecodeError` for anything but an object."""
    return _read_headed(body).metadata


class _Labels(msgspec.Struct, frozen=True):
    labels: dict[str, str] | None = None


class _Labelled(msgspec.Struct, frozen=True):
    metadata: _Labels = _Labels()


_read_labelled = msgspec.json.Decoder(_Labelled).decode


def read_labels(body: bytes) -> dict[str, str]:
    """The labels alone; raises `msgspec.DecodeError` for anything but an object."""
    return _read_labelled(body).metadata.labels or {}


class _Versioned(msgspec.Struct, rename="camel", frozen=True):
    api_version: str = ""


class _Parted(msgspec.Struct, frozen=True):
    metadata: msgspec.Raw = msgspec.Raw(b"{}")


_read_versioned = msgspec.json.Decoder(_Versioned).decode
_read_parted = msgspec.json.Decoder(_Parted).decode


def read_api_version(body: bytes) -> str:
    """Raises `msgspec.DecodeError` for anything but an object."""
    return _read_versioned(body).api_version


def read_metadata(body: bytes) -> bytes:
    """The metadata as it is written; raises `msgspec.DecodeError` for anything but an object."""
    return bytes(_read_parted(body).metadata)


class GroupVersionKind(NamedTuple):
    """A kind's full name; the core group is the empty string."""

    group: str
    version: str
    kind: str

    @classmethod
    def parse(cls, api_version: str, kind: str) -> "GroupVersionKind":
        group, _, version = api_version.rpartition("/")
        return cls(group, version, kind)

    @classmethod
    def of(cls, manifest: Manifest) -> "GroupVersionKind":
        return cls.parse(str(manifest.get("apiVersion") or ""), str(manifest.get("kind") or ""))

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


class GroupResource(NamedTuple):
    """A resource as URLs and subjects name it: `apps`, `deployments`."""

    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


class ObjectKey(NamedTuple):
    """What identifies an object in a store; `namespace` is "" for a cluster-scoped one."""

    group: str
    resource: str
    namespace: str
    name: str

    @property
    def group_resource(self) -> GroupResource:
        return GroupResource(self.group, self.resource)

    def __str__(self) -> str:
        path = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return f"{self.group_resource} {path}"


def metadata_of(manifest: Manifest) -> dict[str, Any]:
    """Return the metadata, or an empty dict; not for writing through."""
    found = manifest.get("metadata")
    return found if isinstance(found, dict) else {}


def part_of(manifest: Manifest, name: str) -> dict[str, Any]:
    """The spec or the status; empty where something else is in its place."""
    found = manifest.get(name)
    return found if isinstance(found, dict) else {}


def name_of(manifest: Manifest) -> str:
    return str(metadata_of(manifest).get("name", ""))


def namespace_of(manifest: Manifest) -> str:
    return str(metadata_of(manifest).get("namespace") or "")


def uid_of(manifest: Manifest) -> str:
    return str(metadata_of(manifest).get("uid", ""))


def generation_of(manifest: Manifest) -> int:
    return int(metadata_of(manifest).get("generation") or 0)


def labels_of(manifest: Manifest) -> dict[str, str]:
    return metadata_of(manifest).get("labels") or {}


def annotations_of(manifest: Manifest) -> dict[str, str]:
    return metadata_of(manifest).get("annotations") or {}
