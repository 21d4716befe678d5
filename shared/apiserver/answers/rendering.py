"""Objects, lists and watch events as the bytes of an answer.

An object's JSON is made once (`Stored.encoded`, `Stored.face`) and joined into whatever holds it.
Lists come in parts, so that neither the whole of one nor the time it takes is in anybody's way.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    encode,
    read_api_version,
    read_metadata,
)
from shared.apiserver.answers.sending import Part
from shared.apiserver.answers.tables import IncludeObject, render_table, row_writer
from shared.apiserver.aside import LARGE_BYTES
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.printers.workloads import SCALE as SCALE_COLUMNS
from shared.apiserver.requests.negotiation import Accepted, Form
from shared.apiserver.serving import Shown
from shared.apiserver.status_errors import ApiFault, bad_request
from shared.apiserver.verbs.listing import Page
from shared.apiserver.writing.ownership import schema_of
from shared.apiserver.writing.validation import as_declared
from shared.store.port import ChangeType, Stored

_encode = msgspec.json.Encoder().encode
_PARTIAL = b'{"kind":"PartialObjectMetadata","apiVersion":"%b","metadata":%b}'
_SCALE = ResourceKind(
    gvk=GroupVersionKind("autoscaling", "v1", "Scale"),
    resource="scales",
    singular="scale",
    namespaced=True,
    columns=SCALE_COLUMNS,
)
INITIAL_EVENTS_END = "k8s.io/initial-events-end"


def read_include(text: str) -> IncludeObject:
    """Raise `ApiFault` 400 unless *text* is empty or one of the three words."""
    match text:
        case "" | "Metadata":
            return "Metadata"
        case "None":
            return "None"
        case "Object":
            return "Object"
        case _:
            raise bad_request(
                "Unable to convert to Table as requested: includeObject: Invalid value: "
                f"\"{text[:40]}\": must be 'Metadata', 'Object', 'None', or empty"
            )


class Renderer:
    """Writes one kind in one form, for one request."""

    def __init__(
        self,
        kind: ResourceKind,
        wish: Accepted,
        *,
        now: Callable[[], datetime],
        shown: Shown,
        include: IncludeObject = "Metadata",
    ) -> None:
        """*shown*: what is added to an object that is stored as its users wrote it."""
        self._kind = kind
        self._shown = shown
        self.form = wish.form
        self._version = wish.version
        self._now = now
        self._include = include
        self._api_version = kind.gvk.api_version
        name, version = (msgspec.json.encode(part) for part in (kind.gvk.kind, self._api_version))
        self._headers = (
            b'{"kind":%b,"apiVersion":%b,' % (name, version),
            b'{"apiVersion":%b,"kind":%b,' % (version, name),
        )
        # A custom kind shows an object by its schema of today.
        self._face = f"{kind.gvk.api_version} {kind.since}" if kind.custom else self._api_version

    @property
    def identity(self) -> Hashable:
        """Renderers of the same one write the same."""
        return self._kind.gvk, self.form, self._version, self._include

    def object(self, stored: Stored) -> bytes:
        """Raise `ApiFault` 406 where a list was asked for."""
        if self.form is Form.METADATA_LIST:
            raise _wrong_form(self.form, "not a list")
        if self.form is Form.OBJECT:
            return self._plain(stored)
        if self.form is Form.METADATA:
            return self._partial(stored)
        version = {"resourceVersion": str(stored.revision)}
        return _encode(self._table([stored], version))

    def weight(self, stored: Stored) -> int:
        """About how many bytes are worked through to write the object."""
        face = stored.face if self.form is Form.OBJECT else None
        return 0 if face is not None and face[0] == self._face else stored.size

    def page(self, page: Page) -> Iterator[Part]:
        """Yield a list in parts: its head, each object, its end; raises `ApiFault` 406."""
        if self.form is Form.METADATA:
            raise _wrong_form(self.form, "a list")
        metadata: dict[str, Any] = {"resourceVersion": str(page.revision)}
        if page.continue_token:
            metadata["continue"] = page.continue_token
            if page.remaining is not None:
                metadata["remainingItemCount"] = page.remaining
        head, item = self._list_of(metadata)
        yield head
        comma = b""
        for stored in self._in_order(page.items):
            if self.weight(stored) > LARGE_BYTES:
                yield comma
                yield partial(item, stored)
            else:
                yield comma + item(stored)
            comma = b","
        yield b"]}\n"

    def _in_order(self, items: Sequence[Stored]) -> Sequence[Stored]:
        order = self._kind.row_order
        if self.form is not Form.TABLE or order is None:
            return items
        return sorted(items, key=lambda stored: order(stored.glance()))

    def _list_of(self, metadata: dict[str, Any]) -> tuple[bytes, Callable[[Stored], bytes]]:
        """Return how a list begins, up to its first element, and what writes an element."""
        if self.form is Form.TABLE:
            row = row_writer(
                self._kind, now=self._now(), include=self._include, version=self._version
            )
            opening = _encode(self._table([], metadata)).removesuffix(b"]}")
            return opening, lambda one: _encode(row(self._seen(one)))
        if self.form is Form.METADATA_LIST:
            kind, version = "PartialObjectMetadataList", self._version
        else:
            kind, version = f"{self._kind.gvk.kind}List", self._api_version
        head = {"kind": kind, "apiVersion": version, "metadata": metadata}
        item = self._partial
        if self.form is Form.OBJECT:
            item = self._untyped if schema_of(self._kind).typed else self._plain
        return _encode(head)[:-1] + b',"items":[', item

    def _untyped(self, stored: Stored) -> bytes:
        """Write an object of a built-in kind as an item: what it is, its list says."""
        written = self._plain(stored)
        for header in self._headers:
            if written.startswith(header):
                return b"{" + written[len(header) :]
        return written

    def _partial(self, stored: Stored) -> bytes:
        return _metadata_only(stored.encoded, self._version)

    def event(self, change: ChangeType, stored: Stored, *, first: bool) -> bytes:
        """One line of a watch. Of tables only the *first* has the columns."""
        if self.form is Form.TABLE:
            version = {"resourceVersion": str(stored.revision)}
            table = self._table([stored], version)
            if not first:
                table["columnDefinitions"] = None
            body = _encode(table)
        else:
            body = self.object(stored)
        return b'{"type":"%b","object":%b}\n' % (change.value.encode(), body)

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        if initial_end:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        partial: Manifest = {
            "kind": "PartialObjectMetadata",
            "apiVersion": self._version,
            "metadata": metadata,
        }
        if self.form is Form.TABLE:
            found: Manifest = self._table([], {"resourceVersion": str(revision)})
            cells = [""] * len(found["columnDefinitions"])
            found["rows"] = [{"cells": cells, "object": partial}]
        elif self.form is Form.METADATA:
            found = partial
        else:
            found = {
                "kind": self._kind.gvk.kind,
                "apiVersion": self._api_version,
                "metadata": metadata,
            }
        return _encode({"type": "BOOKMARK", "object": found}) + b"\n"

    def _plain(self, stored: Stored) -> bytes:
        face = stored.face
        if face is None or face[0] != self._face:
            face = stored.face = (self._face, self._made(stored))
        return face[1]

    def _made(self, stored: Stored) -> bytes:
        of_today = read_api_version(stored.encoded) == self._api_version
        if self._kind.custom and self._is_as_stored(stored, of_today=of_today):
            return stored.encoded
        manifest = stored.glance()
        seen = self._seen(stored, manifest)
        if seen is manifest and of_today:
            return stored.encoded
        # Written in another version of the kind; versions differ in name only (as custom
        # resources with conversion strategy None).
        return encode({**seen, "apiVersion": self._api_version, "kind": self._kind.gvk.kind})

    def _seen(self, stored: Stored, manifest: Manifest | None = None) -> Manifest:
        """What readers see; of a custom kind by its schema of today, in the version asked for."""
        manifest, kind = manifest or stored.glance(), self._kind
        if not kind.custom:
            return self._shown(kind.group_resource, manifest)
        of_today = manifest.get("apiVersion") == self._api_version
        if self._is_as_stored(stored, of_today=of_today):
            return manifest
        return as_declared(kind, manifest)

    def _is_as_stored(self, stored: Stored, *, of_today: bool) -> bool:
        """Whether a custom object is shown as it is: its stored version may have other fields."""
        kind = self._kind
        return of_today and kind.stored_schema is None and stored.revision > kind.since

    def _table(self, items: Iterable[Stored], metadata: dict[str, Any]) -> dict[str, Any]:
        return render_table(
            self._kind,
            [self._seen(one) for one in items],
            now=self._now(),
            include=self._include,
            metadata=metadata,
            version=self._version,
        )


def render_scale(scale: Manifest, wish: Accepted, now: datetime) -> bytes:
    """Write a Scale, which is a part of an object and never stored."""
    match wish.form:
        case Form.OBJECT:
            return _encode(scale)
        case Form.METADATA:
            return _metadata_only(_encode(scale), wish.version)
        case Form.METADATA_LIST:
            raise _wrong_form(wish.form, "not a list")
        case Form.TABLE:
            metadata = {"resourceVersion": scale["metadata"].get("resourceVersion", "")}
            return _encode(
                render_table(_SCALE, [scale], now=now, metadata=metadata, version=wish.version)
            )


def render_review(review: Manifest, wish: Accepted) -> bytes:
    """Write an answered question, which is never stored; raises `ApiFault` 406."""
    if wish.form is Form.METADATA_LIST:
        raise _wrong_form(wish.form, "not a list")
    encoded = _encode(review)
    return _metadata_only(encoded, wish.version) if wish.form is Form.METADATA else encoded


def error_event(status: Manifest) -> bytes:
    return _encode({"type": "ERROR", "object": status}) + b"\n"


def _wrong_form(form: Form, found: str) -> ApiFault:
    return ApiFault(406, f"you requested {form}, but the requested object is {found}")


def _metadata_only(body: bytes, version: str) -> bytes:
    return _PARTIAL % (version.encode(), read_metadata(body))
