"""A manifest as the store keeps it: JSON without a resourceVersion, which is set on reading.

The revision is the sequence the write gets, so the written bytes cannot hold it. They begin with
the metadata, so that reading puts it in its place without parsing the rest.
"""

import msgspec

from shared.apimachinery.manifest import Manifest, ObjectKey, decode, encode, metadata_of
from shared.bus.topology import MEBIBYTE, MESSAGE_BYTES_MAX
from shared.errors import InvalidObject
from shared.store.port import Revision, Stored

STORED_BYTES_MAX = MESSAGE_BYTES_MAX - MEBIBYTE
"""What doors accept (3 MiB) plus managed fields; the rest of a message is for its headers."""

_START = b'{"metadata":{'


def encode_body(key: ObjectKey, manifest: Manifest) -> bytes:
    """Raise `InvalidObject` for what is no JSON or too big."""
    metadata, rest = dict(metadata_of(manifest)), dict(manifest)
    metadata.pop("resourceVersion", None)
    rest.pop("metadata", None)
    try:
        body = b'{"metadata":' + encode(metadata)
        body += b"," + encode(rest)[1:] if rest else b"}"
    except (TypeError, ValueError, msgspec.EncodeError) as err:
        raise InvalidObject(f"{key} is not JSON: {err}") from err
    if len(body) > STORED_BYTES_MAX:
        raise InvalidObject(f"{key} has {len(body)} bytes; the limit is {STORED_BYTES_MAX}")
    return body


def decode_stored(
    key: ObjectKey, revision: Revision, body: bytes, trace: str | None = None
) -> Stored:
    """Raise ValueError where *body* is no JSON object."""
    if body.startswith(_START) and body.endswith(b"}"):
        rest = body[len(_START) :]
        comma = b"" if rest.startswith(b"}") else b","
        version = b'"resourceVersion":"%d"' % revision
        return Stored(key, revision, None, trace, encoded=_START + version + comma + rest)
    # Written by something else, in another order.
    manifest = decode(body)
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict):
        metadata = manifest["metadata"] = {}
    metadata["resourceVersion"] = str(revision)
    return Stored(key, revision, manifest, trace)
