"""Round trips between members, as propagators that run beside them measure: the board LATENCIES.

Under `<from>.<to>` lies the last word of the propagator beside the member *from*, which nobody else
writes, until it expires.
"""

from datetime import timedelta

import msgspec

from shared.errors import MalformedEvent

BOARD = "LATENCIES"
TTL = timedelta(minutes=5)

# A latency is told when it has at least doubled or halved, and by more than this.
_STEP_MILLISECONDS = 10


class RoundTrip(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How long it takes from one member to another and back; `at` is RFC 3339."""

    milliseconds: float
    at: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RoundTrip).decode


def round_trip_key(origin: str, target: str) -> str:
    return f"{origin}.{target}"


def parse_round_trip_key(key: str) -> tuple[str, str]:
    """Read from where to where; raises ValueError."""
    origin, target = key.split(".")
    return origin, target


def encode_round_trip(found: RoundTrip) -> bytes:
    return _encode(found)


def decode_round_trip(body: bytes) -> RoundTrip:
    """Raise `MalformedEvent`."""
    try:
        return _decode(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"no round trip: {err}") from err


def has_moved(old: float | None, new: float | None) -> bool:
    """Whether *new* milliseconds are so different from *old* ones that it matters."""
    if old is None or new is None:
        return old != new
    low, high = sorted((old, new))
    return high - low > _STEP_MILLISECONDS and high >= 2 * low
