"""All objects of a cluster as one text: what a backup of etcd is to a real one.

A cluster that begins with a backup has its objects as they were, with their uids, and counts its
revisions anew: whoever read it before has read a later state than there is.
"""

from collections.abc import Iterable

import msgspec

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.store.port import Stored


class BackedUp(msgspec.Struct, frozen=True):
    """One object, with the key that its manifest does not say whole."""

    key: ObjectKey
    manifest: Manifest


def encode_backup(objects: Iterable[Stored]) -> bytes:
    return msgspec.json.encode([BackedUp(one.key, one.glance()) for one in objects])


def read_backup(text: bytes) -> list[BackedUp]:
    """Raises ValueError for anything else than `encode_backup` made."""
    return msgspec.json.decode(text, type=list[BackedUp])
