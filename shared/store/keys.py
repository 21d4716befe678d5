"""The subject under which an object lies in the bucket, and back."""

from shared.apimachinery.manifest import ObjectKey
from shared.errors import InvalidObject
from shared.events.subjects import decode_key, encode_key, encode_token
from shared.store.port import Scope

PREFIX = "$KV.OBJECTS."

SUBJECT_BYTES_MAX = 2000
"""NATS takes protocol lines up to 4,096 bytes; the longest legal Kubernetes key needs 1,200."""


def encode_subject(key: ObjectKey) -> str:
    """Raise `InvalidObject` for a key that is too long to be stored, or has no name."""
    if not key.resource or not key.name:
        raise InvalidObject("an object without a resource or a name cannot be stored")
    try:
        subject = PREFIX + encode_key(key)
    except UnicodeEncodeError as err:
        raise InvalidObject("the name is not valid Unicode") from err
    if len(subject) > SUBJECT_BYTES_MAX:
        raise InvalidObject(f"the name is too long to be stored ({len(subject)} bytes as a key)")
    return subject


def decode_subject(subject: str) -> ObjectKey:
    """Raises ValueError for anything but a subject made by `encode_subject`."""
    if not subject.startswith(PREFIX):
        raise ValueError(f"not an object's subject: {subject}")
    return decode_key(subject[len(PREFIX) :])


def scope_filter(scope: Scope) -> str:
    """The subject filter that covers *scope*."""
    parts = (scope.group, scope.resource, scope.namespace)
    tokens = ["*" if part is None else encode_token(part) for part in parts]
    if tokens == ["*", "*", "*"]:
        return f"{PREFIX}>"
    return f"{PREFIX}{'.'.join(tokens)}.*"
