"""Objects at rest: packed, each as what tells it from others of its kind.

Objects of a kind say most things in the same words: after a few of them as a dictionary (RFC 1951
by zlib) a Deployment of 2 kB takes some hundred bytes, and 3 microseconds to be had again. What
was written lately is left as it is: it is what gets looked at, and may be replaced in a moment.
"""

import zlib
from collections import OrderedDict

from shared.apimachinery.manifest import GroupResource, ObjectKey
from shared.store.port import Stored

_SAMPLES = 4
_SAMPLE_BYTES_MAX = 4_096
# A greater window costs more at every use than it saves: 16 KiB hold the samples.
_WINDOW_BITS = 14
_MEMORY_LEVEL = 6
_LEVEL = 3
# Below this nothing is gained.
_BYTES_MIN = 128


class KindPacking:
    """How objects of one kind are packed: beside *samples*, which they are expected to be like."""

    def __init__(self, samples: list[bytes]) -> None:
        common = b"".join(sample[:_SAMPLE_BYTES_MAX] for sample in samples)
        # Raw deflate: what never leaves the process needs no checksum. Both are copied for each
        # object, which is quicker than to have the dictionary read again.
        self._deflate = zlib.compressobj(
            _LEVEL, zlib.DEFLATED, -_WINDOW_BITS, _MEMORY_LEVEL, zdict=common
        )
        self._inflate = zlib.decompressobj(-_WINDOW_BITS, common)

    def pack(self, body: bytes) -> bytes:
        deflate = self._deflate.copy()
        return deflate.compress(body) + deflate.flush()

    def unpack(self, packed: bytes) -> bytes:
        return self._inflate.copy().decompress(packed)


class Rest:
    """Has objects packed once *restless_max* others have changed since they did."""

    def __init__(self, restless_max: int) -> None:
        self._restless_max = restless_max
        # In the order of their last changes.
        self._restless: OrderedDict[ObjectKey, Stored] = OrderedDict()
        self._samples: dict[GroupResource, list[bytes]] = {}
        self._packings: dict[GroupResource, KindPacking] = {}

    def note(self, stored: Stored) -> None:
        """Take in that an object came or changed."""
        self._restless[stored.key] = stored
        self._restless.move_to_end(stored.key)
        if len(self._restless) > self._restless_max:
            _, rested = self._restless.popitem(last=False)
            self.settle(rested)

    def forget(self, key: ObjectKey) -> None:
        self._restless.pop(key, None)

    def settle(self, stored: Stored) -> None:
        """Pack it now; the first few of a kind serve as samples, and stay as they are."""
        kind = stored.key.group_resource
        packing = self._packings.get(kind)
        if packing is not None:
            if stored.size >= _BYTES_MIN:
                stored.rest(packing)
            return
        samples = self._samples.setdefault(kind, [])
        samples.append(stored.encoded)
        if len(samples) == _SAMPLES:
            self._packings[kind] = KindPacking(self._samples.pop(kind))
