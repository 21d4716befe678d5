"""A manifest as the store keeps it: JSON without a resourceVersion, which is set on reading.

The revision is the sequence the write gets, so the written bytes cannot hold it. They begin with
kind, apiVersion and metadata, in which a real server's answers begin too, so that reading puts it
in its place without parsing the rest.
"""

import re

import msgspec

from shared.apimachinery.manifest import Manifest, ObjectKey, decode, encode, metadata_of
from shared.bus.topology import MEBIBYTE, MESSAGE_BYTES_MAX
from shared.errors import InvalidObject
from shared.store.port import Revision, Stored

STORED_BYTES_MAX = MESSAGE_BYTES_MAX - MEBIBYTE
"""What doors accept (3 MiB) plus managed fields; the rest of a message is for its headers."""

# What was written before kind and apiVersion came first has neither here.
_START = re.compile(rb'\{(?:"kind":"[^"\\]*","apiVersion":"[^"\\]*",)?"metadata":\{')


def encode_body(key: ObjectKey, manifest: Manifest) -> bytes:
    """Raise `InvalidObject` for what is no JSON or too big."""
    metadata, rest = dict(metadata_of(manifest)), dict(manifest)
    metadata.pop("resourceVersion", None)
    header: Manifest = {name: rest.pop(name) for name in ("kind", "apiVersion") if name in rest}
    rest.pop("metadata", None)
    try:
        body = encode({**header, "metadata": metadata, **rest})
    except (TypeError, ValueError, msgspec.EncodeError) as err:
        raise InvalidObject(f"{key} is not JSON: {err}") from err
    if len(body) > STORED_BYTES_MAX:
        raise InvalidObject(f"{key} has {len(body)} bytes; the limit is {STORED_BYTES_MAX}")
    return body


def decode_stored(
    key: ObjectKey, revision: Revision, body: bytes, trace: str | None = None
) -> Stored:
    """Raise ValueError where *body* is no JSON object."""
    start = _START.match(body)
    if start is not None and body.endswith(b"}"):
        at = start.end()
        comma = b"" if body.startswith(b"}", at) else b","
        version = b'"resourceVersion":"%d"' % revision
        encoded = b"".join((body[:at], version, comma, memoryview(body)[at:]))
        return Stored(key, revision, None, trace, encoded=encoded)
    # Written by something else, in another order.
    manifest = decode(body)
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        metadata = manifest["metadata"] = {}
    metadata["resourceVersion"] = str(revision)
    return Stored(key, revision, manifest, trace)
