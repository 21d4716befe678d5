"""Scores of clusters that other systems publish: the command, and what is kept until it expires.

Each is a number under a name, of one cluster, in a unit of its own. It lies on the board SCORES
under `<name>.<cluster>`, written by the registry only, for as long as the command says.
"""

import msgspec

from shared.errors import MalformedEvent

BOARD = "SCORES"
VALUES_MAX = 1_000
"""Clusters in one command; more are better sent as several."""
TTL_SECONDS_MAX = 7 * 24 * 3600


class PublishScores(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Say *name* of some clusters, until *ttl_seconds* are over; null takes back what was said."""

    name: str
    ttl_seconds: int
    values: dict[str, float | None]


class PublishedScore(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What lies on the board. `source` is the `ce-source` of whoever said it, `at` is RFC 3339."""

    value: float
    source: str = ""
    at: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PublishedScore).decode


def score_key(name: str, cluster: str) -> str:
    return f"{name}.{cluster}"


def parse_score_key(key: str) -> tuple[str, str]:
    """Read name and cluster; raises ValueError."""
    name, cluster = key.split(".")
    return name, cluster


def encode_score(score: PublishedScore) -> bytes:
    return _encode(score)


def decode_score(body: bytes) -> PublishedScore:
    """Raise `MalformedEvent`."""
    try:
        return _decode(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"not a score: {err}") from err
