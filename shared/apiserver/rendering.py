"""Objects, lists and watch events as the bytes of an answer.

An object's JSON is made once (`Stored.encoded`) and joined into whatever holds it.
"""

from datetime import datetime
from typing import Any

import msgspec

from shared.apimachinery.manifest import GroupVersionKind, Manifest, encode
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.negotiation import Accepted, Form
from shared.apiserver.printers.workloads import SCALE as SCALE_COLUMNS
from shared.apiserver.serving import Shown
from shared.apiserver.status_errors import ApiFault, bad_request
from shared.apiserver.tables import IncludeObject, render_table
from shared.apiserver.verbs.listing import Page
from shared.store.port import ChangeType, Stored

_encode = msgspec.json.Encoder().encode
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
        now: datetime,
        shown: Shown,
        include: IncludeObject = "Metadata",
    ) -> None:
        """*shown*: what is added to an object that is stored as its users wrote it."""
        self._kind = kind
        self._shown = shown
        self._form = wish.form
        self._version = wish.version
        self._now = now
        self._include = include
        self._api_version = kind.gvk.api_version

    def object(self, stored: Stored) -> bytes:
        if self._form is Form.METADATA_LIST:
            raise _wrong_form(self._form, "not a list")
        if self._form is Form.OBJECT:
            return self._plain(stored)
        if self._form is Form.METADATA:
            return _encode(_metadata_only(stored.manifest, self._version))
        version = {"resourceVersion": str(stored.revision)}
        return _encode(self._table([stored.manifest], version))

    def page(self, page: Page) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(page.revision)}
        if page.continue_token:
            metadata["continue"] = page.continue_token
            if page.remaining is not None:
                metadata["remainingItemCount"] = page.remaining
        if self._form is Form.METADATA:
            raise _wrong_form(self._form, "a list")
        if self._form is Form.TABLE:
            return _encode(self._table([one.manifest for one in page.items], metadata))
        if self._form is Form.METADATA_LIST:
            head, items = (
                {"kind": "PartialObjectMetadataList", "apiVersion": self._version},
                [_encode(_metadata_only(one.manifest, self._version)) for one in page.items],
            )
        else:
            head = {"kind": f"{self._kind.gvk.kind}List", "apiVersion": self._api_version}
            items = [self._plain(one) for one in page.items]
        opening = _encode({**head, "metadata": metadata})[:-1]
        return b'%b,"items":[%b]}\n' % (opening, b",".join(items))

    def event(self, change: ChangeType, stored: Stored, *, first: bool) -> bytes:
        """One line of a watch. Of tables only the *first* repeats the columns."""
        if self._form is Form.TABLE:
            version = {"resourceVersion": str(stored.revision)}
            table = self._table([stored.manifest], version)
            if not first:
                table["columnDefinitions"] = None
            body = _encode(table)
        else:
            body = self.object(stored)
        return b'{"type":"%b","object":%b}\n' % (change.value.encode(), body)

    def bookmark(self, revision: int, *, initial_end: bool = False) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
        if initial_end:
            metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
        if self._form is Form.TABLE:
            found: Manifest = self._table([], {"resourceVersion": str(revision)})
            found["rows"] = [
                {
                    "cells": [""] * len(found["columnDefinitions"]),
                    "object": {
                        "kind": "PartialObjectMetadata",
                        "apiVersion": self._version,
                        "metadata": metadata,
                    },
                }
            ]
        elif self._form is Form.METADATA:
            found = {
                "kind": "PartialObjectMetadata",
                "apiVersion": self._version,
                "metadata": metadata,
            }
        else:
            found = {
                "kind": self._kind.gvk.kind,
                "apiVersion": self._api_version,
                "metadata": metadata,
            }
        return _encode({"type": "BOOKMARK", "object": found}) + b"\n"

    def _plain(self, stored: Stored) -> bytes:
        manifest = self._shown(self._kind.group_resource, stored.manifest)
        if manifest is stored.manifest and manifest.get("apiVersion") == self._api_version:
            return stored.encoded
        # Written in another version of the kind; versions differ in name only (as custom
        # resources with conversion strategy None).
        return encode({**manifest, "apiVersion": self._api_version, "kind": self._kind.gvk.kind})

    def _table(self, items: list[Manifest], metadata: dict[str, Any]) -> dict[str, Any]:
        resource = self._kind.group_resource
        items = [self._shown(resource, one) for one in items]
        return render_table(
            self._kind,
            items,
            now=self._now,
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
            return _encode(_metadata_only(scale, wish.version))
        case Form.METADATA_LIST:
            raise _wrong_form(wish.form, "not a list")
        case Form.TABLE:
            metadata = {"resourceVersion": scale["metadata"].get("resourceVersion", "")}
            return _encode(
                render_table(_SCALE, [scale], now=now, metadata=metadata, version=wish.version)
            )


def error_event(status: Manifest) -> bytes:
    return _encode({"type": "ERROR", "object": status}) + b"\n"


def _wrong_form(form: Form, found: str) -> ApiFault:
    return ApiFault(406, f"you requested {form}, but the requested object is {found}")


def _metadata_only(manifest: Manifest, version: str) -> Manifest:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": version,
        "metadata": manifest.get("metadata") or {},
    }
