"""What processes say of the duties of which one of them at a time carries out each.

A `LeaseRecord` lies on the board LEASES under the name of its duty. Its times are spans, never
moments: whoever reads it counts by its own clock. Facts are past tense and never change.
"""

from typing import Literal

import msgspec

from shared.errors import MalformedEvent

NOUN = "lease"


class LeaseRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Who may carry out a duty. `holder` empty: it was let go, and anybody may take it at once.

    `term` grows by one with every change of hands. Others wait `duration_seconds` after the last
    change of the record that they saw.
    """

    holder: str
    term: int
    duration_seconds: float


class LeaseAcquired(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="lease.acquired.v1"
):
    """*holder* carries out *lease* from now on. `previous` is who held it, where nobody let go."""

    lease: str
    holder: str
    term: int
    previous: str = ""
    occurred_at: str


class LeaseLost(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="lease.lost.v1"):
    """*holder* has ended its work on *lease*: it let go, or could not renew it in time."""

    lease: str
    holder: str
    term: int
    reason: Literal["Released", "NotRenewed", "Taken"]
    occurred_at: str


LeaseFact = LeaseAcquired | LeaseLost

_encode = msgspec.json.Encoder().encode
_decode_record = msgspec.json.Decoder(LeaseRecord).decode
_decode_fact = msgspec.json.Decoder(LeaseFact).decode


def encode_lease(said: LeaseRecord | LeaseFact) -> bytes:
    return _encode(said)


def decode_lease_record(body: bytes) -> LeaseRecord:
    """Raise `MalformedEvent`."""
    try:
        return _decode_record(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"not a lease: {err}") from err


def decode_lease_fact(body: bytes) -> LeaseFact:
    """Raise `MalformedEvent`."""
    try:
        found: LeaseFact = _decode_fact(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"not a fact about a lease: {err}") from err
    return found


def type_of(fact: LeaseFact) -> str:
    """Return the type as envelopes write it: `lease.acquired.v1`."""
    return str(fact.__struct_config__.tag)
