"""What becomes of global zones: a fact on `hanse.events.zone.changed.<name>` each time."""

import msgspec

from shared.errors import MalformedEvent

NOUN = "zone"
PAST_TENSE = "changed"
TYPE = "zone.changed.v1"


class ZoneWord(msgspec.Struct, frozen=True, kw_only=True):
    """One condition of the zone, as it is now; `message` is for people."""

    type: str
    status: str
    reason: str
    message: str = ""


class ZoneChanged(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="zone.changed.v1"
):
    """A condition of a zone became another one, or has another reason."""

    zone: str
    domain: str
    uid: str = ""
    names: int = 0
    conditions: tuple[ZoneWord, ...] = ()
    occurred_at: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ZoneChanged).decode


def encode_zone_changed(fact: ZoneChanged) -> bytes:
    return _encode(fact)


def decode_zone_changed(body: bytes) -> ZoneChanged:
    """Raise `MalformedEvent`."""
    try:
        return _decode(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"not a fact about a zone: {err}") from err
