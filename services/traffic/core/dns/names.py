"""Names as DNS sends them: labels with their length before them, and a zero at the end.

A *key* is such a name in lower case: it is what zones are indexed by. Lengths are below 64, so
lowering the letters of the whole touches none of them.
"""

import re
from collections.abc import Iterable, Iterator

ROOT = b"\x00"
LABEL_MAX = 63
NAME_MAX = 255
_LABEL = re.compile(r"[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9])?")
_HOST_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


class IllegalName(ValueError):
    """A text that is no name of DNS; the message says why."""


def key_of(labels: Iterable[str]) -> bytes:
    """The key of labels, the nearest first; raises `IllegalName`."""
    parts = []
    for label in labels:
        text = label.lower()
        if not text or len(text) > LABEL_MAX or not text.isascii():
            raise IllegalName(f"{label!r} is no label: 1 to {LABEL_MAX} letters, digits and '-'")
        parts.append(bytes([len(text)]) + text.encode())
    found = b"".join(parts) + ROOT
    if len(found) > NAME_MAX:
        raise IllegalName(f"a name has {NAME_MAX} bytes at most, and this one {len(found)}")
    return found


def prefixed(label: str, name: bytes) -> bytes:
    """*label* before the key *name*; raises `IllegalName` where that is too long."""
    found = key_of([label])[:-1] + name
    if len(found) > NAME_MAX:
        raise IllegalName(f"no name can hold {label!r} too")
    return found


def parse_name(text: str) -> bytes:
    """The key of `www.example.com`, with or without the last dot; raises `IllegalName`.

    The first label may be `*`, which speaks for all names that there are not.
    """
    bare = text.removesuffix(".")
    labels = bare.split(".") if bare else []
    for label in labels[1:] if labels[:1] == ["*"] else labels:
        if not _LABEL.fullmatch(label.lower()):
            raise IllegalName(f"{text!r} is no name: {label!r} is no label")
    return key_of(labels)


def is_host_name(text: str) -> bool:
    """Whether *text* is labels of RFC 1123 that fit into a name."""
    labels = text.removesuffix(".").split(".")
    return len(text) < NAME_MAX - 1 and all(_HOST_LABEL.fullmatch(label) for label in labels)


def is_host_label(text: str) -> bool:
    return _HOST_LABEL.fullmatch(text) is not None


def text_of(name: bytes) -> str:
    """`www.example.com.`; bytes that are no letters are escaped as in zone files."""
    parts = [
        "".join(chr(c) if 0x21 <= c <= 0x7E and c not in b'."\\;' else f"\\{c:03}" for c in label)
        for label in labels_of(name)
    ]
    return ".".join(parts) + "."


def labels_of(name: bytes) -> Iterator[bytes]:
    at = 0
    while length := name[at]:
        yield name[at + 1 : at + 1 + length]
        at += 1 + length


def parents_of(name: bytes) -> Iterator[bytes]:
    """*name* itself, then each name above it, up to the root."""
    at = 0
    while length := name[at]:
        yield name[at:]
        at += 1 + length
    yield ROOT
