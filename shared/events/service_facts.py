"""Facts about services of the fleet, on `hanse.events.service.<past tense>.<namespace/name>`."""

import msgspec

from shared.events.subjects import fact

NOUN = "service"


class _ServiceFact(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """`occurred_at` is RFC 3339 with microseconds."""

    namespace: str
    name: str
    occurred_at: str


class ServiceImported(_ServiceFact, frozen=True, kw_only=True, tag="service.imported.v1"):
    """Members know it from now on, as *clusters* export it; also when those are others."""

    import_type: str
    clusters: tuple[str, ...]


class ServiceWithdrawn(_ServiceFact, frozen=True, kw_only=True, tag="service.withdrawn.v1"):
    """Nobody exports it any more."""


class ServiceConflicted(_ServiceFact, frozen=True, kw_only=True, tag="service.conflicted.v1"):
    """Its exports differ in other *reasons* than before; in none where those are empty."""

    clusters: tuple[str, ...]
    reasons: tuple[str, ...]
    message: str


class ServiceExportRefused(
    _ServiceFact, frozen=True, kw_only=True, tag="service.export-refused.v1"
):
    """The export of *cluster* is not valid; that of the hub where it is empty."""

    cluster: str
    reason: str
    message: str


ServiceFact = ServiceImported | ServiceWithdrawn | ServiceConflicted | ServiceExportRefused

_decode = msgspec.json.Decoder(ServiceFact).decode
_encode = msgspec.json.Encoder().encode


def encode_service_fact(value: ServiceFact) -> bytes:
    return _encode(value)


def decode_service_fact(body: bytes) -> ServiceFact:
    """Raises `msgspec.DecodeError`."""
    found: ServiceFact = _decode(body)
    return found


def type_of(value: ServiceFact) -> str:
    return str(value.__struct_config__.tag)


def subject_of(value: ServiceFact) -> str:
    _, past_tense, _ = type_of(value).split(".")
    return fact(NOUN, past_tense, f"{value.namespace}/{value.name}")
