"""Every NATS subject of Hanse, and how names become tokens.

A token may hold neither dots nor wildcards, and a bucket's key only `[-/_=a-zA-Z0-9]`. Any other
byte of a name is written `=XX` in hexadecimal, so encoding is one-to-one and readable for
most names. The empty string (core group, no namespace) is `_`, which no Kubernetes name is.
"""

import re
from functools import lru_cache
from sys import intern
from typing import NamedTuple

from shared.apimachinery.manifest import ObjectKey
from shared.apimachinery.short_cache import cached_when_short

WORK = "hanse.work"
STATUS = "hanse.status"
EVENTS = "hanse.events"
COMMANDS = "hanse.commands"
DEAD = "hanse.dead"
HEARTBEATS = "hanse.heartbeats"
ENDPOINTS = "hanse.endpoints"
EXPORTS = "hanse.exports"

_NAMESPACES = "namespaces"
_SLICE_TOKENS = 3

_UNSAFE = re.compile(r"[^-a-zA-Z0-9]")
_ESCAPED = re.compile(r"((?:=[0-9A-F]{2})+)")


def _escape(match: re.Match[str]) -> str:
    return "".join(f"={byte:02X}" for byte in match.group().encode())


def _unescape(match: re.Match[str]) -> str:
    return bytes.fromhex(match.group().replace("=", "")).decode()


@cached_when_short(16_384)
def encode_token(text: str) -> str:
    """One token of a subject for any text."""
    return _UNSAFE.sub(_escape, text) if text else "_"


def decode_token(token: str) -> str:
    return "" if token == "_" else _ESCAPED.sub(_unescape, token)


@lru_cache(maxsize=16_384)
def encode_key(key: ObjectKey) -> str:
    """Four tokens: group.resource.namespace.name."""
    return ".".join(
        encode_token(part) for part in (key.group, key.resource, key.namespace, key.name)
    )


@lru_cache(maxsize=16_384)
def decode_key(tokens: str) -> ObjectKey:
    """Raises ValueError unless there are four tokens."""
    group, resource, namespace, name = (decode_token(token) for token in tokens.split("."))
    # Many objects have these in common.
    return ObjectKey(intern(group), intern(resource), intern(namespace), name)


def work(cluster: str, key: ObjectKey) -> str:
    return f"{WORK}.{encode_token(cluster)}.{encode_key(key)}"


def status(cluster: str, key: ObjectKey) -> str:
    return f"{STATUS}.{encode_token(cluster)}.{encode_key(key)}"


def parse_member_subject(subject: str) -> tuple[str, ObjectKey]:
    """Read cluster and object out of a `hanse.work`, `.status` or `.exports` subject."""
    _, _, cluster, key = subject.split(".", 3)
    return decode_token(cluster), decode_key(key)


def heartbeat(cluster: str) -> str:
    """Subject of the lease that the propagator beside *cluster* renews."""
    return f"{HEARTBEATS}.{encode_token(cluster)}"


def parse_heartbeat(subject: str) -> str:
    """Read the cluster out of a `hanse.heartbeats` subject."""
    return decode_token(subject.removeprefix(f"{HEARTBEATS}."))


def endpoints(cluster: str, namespace: str, name: str) -> str:
    """Subject of what *cluster* reports of one service."""
    return f"{ENDPOINTS}.{encode_token(cluster)}.{encode_token(namespace)}.{encode_token(name)}"


def slice_endpoints(cluster: str, namespace: str, name: str, slice_: str) -> str:
    """Subject of what *cluster* reports of one EndpointSlice of a service."""
    return f"{endpoints(cluster, namespace, name)}.{encode_token(slice_)}"


def namespaces(cluster: str) -> str:
    """Subject of the namespaces that *cluster* has."""
    return f"{ENDPOINTS}.{encode_token(cluster)}.{_NAMESPACES}"


class Reported(NamedTuple):
    """What a `hanse.endpoints` subject is about.

    `service` is namespace and name, None where it is of namespaces; `slice` the name of one of its
    slices, empty where it is of the service itself.
    """

    cluster: str
    service: tuple[str, str] | None
    slice: str = ""


def parse_endpoints(subject: str) -> Reported:
    """Raises ValueError."""
    cluster, *place = subject.removeprefix(f"{ENDPOINTS}.").split(".")
    if place == [_NAMESPACES]:
        return Reported(decode_token(cluster), None)
    slice_ = decode_token(place.pop()) if len(place) == _SLICE_TOKENS else ""
    namespace, name = place
    return Reported(decode_token(cluster), (decode_token(namespace), decode_token(name)), slice_)


def export(cluster: str, key: ObjectKey) -> str:
    """Subject of the status that an object of *cluster* is to show."""
    return f"{EXPORTS}.{encode_token(cluster)}.{encode_key(key)}"


def fact(noun: str, past_tense: str, key: str) -> str:
    """Subject of a fact; *key* is encoded as one token."""
    return f"{EVENTS}.{noun}.{past_tense}.{encode_token(key)}"


def command(verb: str) -> str:
    return f"{COMMANDS}.{verb}"


def dead(service: str, stream: str, sequence: int) -> str:
    """Subject of a dead letter: each has its own, so that each can be read and removed."""
    return f"{DEAD}.{encode_token(service)}.{stream.lower()}-{sequence}"


def member_key(cluster: str) -> str:
    """Key of a member's sealed credentials on the board SECRETS."""
    return encode_token(cluster)


def health_key(cluster: str, observer: str) -> str:
    """Key of one observer's word about one member on the board HEALTH."""
    return f"{encode_token(cluster)}.{encode_token(observer)}"


def parse_health_key(key: str) -> tuple[str, str]:
    """Read cluster and observer; raises ValueError."""
    cluster, observer = key.split(".")
    return decode_token(cluster), decode_token(observer)
