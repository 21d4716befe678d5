"""What plugins are asked before a decision, and what they answer: JSON over NATS request and reply.

`hanse.plugins.<name>.filter` is answered by a `FilterAnswer`, `hanse.plugins.<name>.score` by a
`ScoreAnswer`. A plugin in any language is a program that subscribes to these (in a queue group, to
run it several times) and answers within the time that the policy allows.
"""

import math

import msgspec

from shared.errors import MalformedEvent

PLUGINS = "hanse.plugins"
ANSWER_BYTES_MAX = 1024 * 1024
_POINTS_MAX = 100
_REASON_MAX = 200


def filter_subject(name: str) -> str:
    return f"{PLUGINS}.{name}.filter"


def score_subject(name: str) -> str:
    return f"{PLUGINS}.{name}.score"


class AskedWorkload(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is to be placed. `requests` are those of one replica; `current` is where it is now.

    A share of None is the whole; `replicas` None is a kind without them.
    """

    api_version: str
    kind: str
    namespace: str = ""
    name: str
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    replicas: int | None = None
    requests: dict[str, str] = {}
    current: dict[str, int | None] = {}


class AskedCluster(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One that the policy's affinity covers, whether it can take the object now or not."""

    name: str
    labels: dict[str, str] = {}
    provider: str = ""
    region: str = ""
    zone: str = ""


class PluginRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The same for both questions."""

    workload: AskedWorkload
    clusters: tuple[AskedCluster, ...]


class FilterAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`refused`: clusters that may not take it, each with a clause for people. Others may."""

    refused: dict[str, str]


class ScoreAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Points between 0 and 100, the more the better; a cluster that is not named gets 50."""

    points: dict[str, float]


_encode = msgspec.json.Encoder().encode
_decode_filter = msgspec.json.Decoder(FilterAnswer).decode
_decode_score = msgspec.json.Decoder(ScoreAnswer).decode


def encode_request(asked: PluginRequest) -> bytes:
    return _encode(asked)


def read_refused(body: bytes) -> dict[str, str]:
    """Return who is refused and why, in plain and short words; raises `MalformedEvent`."""
    _check_size(body)
    try:
        found = _decode_filter(body).refused
    except (msgspec.DecodeError, RecursionError) as err:
        raise MalformedEvent(f"bad answer: {err}") from err
    return {name: plain_words(why) for name, why in found.items()}


def read_points(body: bytes) -> dict[str, int]:
    """Return the points, rounded; raises `MalformedEvent`."""
    _check_size(body)
    try:
        found = _decode_score(body).points
    except (msgspec.DecodeError, RecursionError) as err:
        raise MalformedEvent(f"bad answer: {err}") from err
    for name, points in found.items():
        if not (math.isfinite(points) and 0 <= points <= _POINTS_MAX):
            shown = f"{name[:63]} has {points:g} points"
            raise MalformedEvent(f"bad answer: {shown}, not between 0 and {_POINTS_MAX}")
    return {name: round(points) for name, points in found.items()}


def _check_size(body: bytes) -> None:
    if len(body) > ANSWER_BYTES_MAX:
        raise MalformedEvent(f"bad answer: {len(body)} bytes, more than {ANSWER_BYTES_MAX}")


def plain_words(why: str) -> str:
    """Return what a stranger said as one short line."""
    text = "".join(letter if letter.isprintable() else " " for letter in why).strip()
    return text[:_REASON_MAX] or "refused"
