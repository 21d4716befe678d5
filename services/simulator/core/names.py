"""Names that follow from what they name: hashes of templates, in letters that spell no word."""

import zlib
from collections.abc import Mapping
from typing import Any

import msgspec

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_encode = msgspec.json.Encoder(order="sorted").encode


def template_hash(template: Mapping[str, Any], collisions: int = 0) -> str:
    """Return up to ten letters for a pod template; they look like `pod-template-hash` does.

    Equal templates have equal hashes here, but not those of a real cluster, which hashes Go's
    own print of the template.
    """
    digest = zlib.crc32(_encode(template))
    if collisions:
        digest = zlib.crc32(str(collisions).encode(), digest)
    return "".join(_LETTERS[ord(digit) % len(_LETTERS)] for digit in str(digest))
