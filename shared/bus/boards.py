"""How a board lies in its bucket: subjects for keys, markers for what is gone, whole seconds."""

from collections.abc import Mapping
from datetime import timedelta

from shared.bus.lifetimes import whole_seconds
from shared.bus.topology import STREAMS, Stream
from shared.events.subjects import decode_token, encode_token

MARKER = "KV-Operation"
EXPIRED = "Nats-Marker-Reason"
_STREAM_PREFIX = "KV_"


def board_stream(name: str) -> Stream:
    """The bucket declared for board *name*."""
    for stream in STREAMS:
        if stream.name == _STREAM_PREFIX + name:
            return stream
    raise AssertionError(f"no board {name} is declared in topology.py")


def encode_board_key(name: str, key: str) -> str:
    """Any text is a key; its dots separate tokens."""
    return f"$KV.{name}." + ".".join(encode_token(part) for part in key.split("."))


def decode_board_key(name: str, subject: str) -> str:
    tokens = subject.removeprefix(f"$KV.{name}.").split(".")
    return ".".join(decode_token(token) for token in tokens)


def is_gone(headers: Mapping[str, str]) -> bool:
    """Whether a message says that its key was deleted or has expired."""
    return MARKER in headers or EXPIRED in headers


def whole_ttl(stream: Stream, ttl: timedelta | None) -> int | None:
    """The time to live in seconds."""
    if ttl is None:
        return None
    assert stream.message_ttl, f"{stream.name} was not declared to forget"
    return whole_seconds(ttl)
