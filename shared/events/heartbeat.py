"""The sign of life that the propagator beside a member gives, and the lease that it renews by it.

The last word on `hanse.heartbeats.<cluster>`, written by compare-and-set on its sequence, so that
who renews and who revokes cannot both succeed. A term rises when the hub revokes, and then only:
what was to run under an older term runs no more. Clocks are never compared. The holder counts from
before it sent a renewal, the hub from when it heard of it, each in seconds of its own.
"""

import msgspec

from shared.errors import MalformedEvent


class Heartbeat(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="cluster.heartbeat.v1"
):
    """`held` False: revoked by the hub, until the member takes it up again under the same term.

    Who has not heard of a renewal for `duration_seconds` may revoke: by then the member has
    stopped what must not run in two places. None: it could not stop anything now, as its API does
    not answer, so silence would prove nothing. `observed_time` is RFC 3339, for people.
    """

    cluster: str
    term: int
    held: bool
    duration_seconds: float | None
    observed_time: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Heartbeat).decode


def encode_heartbeat(heartbeat: Heartbeat) -> bytes:
    return _encode(heartbeat)


def decode_heartbeat(body: bytes) -> Heartbeat:
    try:
        return _decode(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"no heartbeat: {err}") from err
