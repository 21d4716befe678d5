"""The fact that the scheduler has decided, with every reason behind it.

Published after the decision is committed; the id follows from the binding's uid, its generation and
the outcome, so that a repeat after a crash is the same event.
"""

import msgspec

from shared.errors import MalformedEvent

NOUN = "placement"
DECIDED = "decided"


class PlacedShare(msgspec.Struct, frozen=True, kw_only=True):
    """`replicas` None: the whole object, not a share of its replicas."""

    cluster: str
    replicas: int | None = None


class ClusterRejected(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is PascalCase, for programs; `message` a clause for people."""

    cluster: str
    code: str
    message: str


class PlacementDecided(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag="placement.decided.v1",
):
    """Where one template shall be. `scheduled` False: it does not fit, and `clusters` is kept.

    `leaving` are shares that stay until their substitutes are healthy.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    template_generation: int
    binding_uid: str
    binding_generation: int
    policy: str
    scheduled: bool
    reason: str
    message: str
    replicas: int | None
    clusters: tuple[PlacedShare, ...]
    leaving: tuple[PlacedShare, ...] = ()
    rejected: tuple[ClusterRejected, ...] = ()
    binding: str = ""
    """The binding's name."""
    occurred_at: str


TYPE = "placement.decided.v1"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(PlacementDecided).decode


def encode_placement(fact: PlacementDecided) -> bytes:
    return _encode(fact)


def decode_placement(body: bytes) -> PlacementDecided:
    """Raise `MalformedEvent`."""
    try:
        return _decode(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"not a placement decision: {err}") from err
