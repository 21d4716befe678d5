"""The fact that the scheduler has decided, with every reason behind it.

Published after the decision is committed; the id follows from the binding's uid, its generation and
the outcome, so that a repeat after a crash is the same event.
"""

import msgspec

from shared.errors import MalformedEvent

NOUN = "placement"
DECIDED = "decided"
STALLED = "stalled"


class PlacedShare(msgspec.Struct, frozen=True, kw_only=True):
    """`replicas` None: the whole object, not a share of its replicas."""

    cluster: str
    replicas: int | None = None


class ClusterRejected(msgspec.Struct, frozen=True, kw_only=True):
    """`code` is PascalCase, for programs; `message` a clause for people."""

    cluster: str
    code: str
    message: str


class RejectedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Clusters that are out for the same reason, in order; `clusters` may name fewer."""

    code: str
    message: str
    count: int
    clusters: tuple[str, ...] = ()


class ScorePart(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What one signal, or plugin, added to the score of a cluster: `points` of 100, by `weight`.

    `value` is in the signal's own unit, and None where it is not known, or has `expired`; `weight`
    0 is for a signal that shares are weighed by.
    """

    name: str
    points: int
    weight: int = 0
    value: float | None = None
    expired: bool = False


class PlacementDecided(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag="placement.decided.v1",
):
    """Where one template shall be. `scheduled` False: it does not fit, and `clusters` is kept.

    `leaving` are shares that stay until their substitutes are healthy. `rejected` names the first
    hundred, `reasons` all of them. `trigger` says what led to the decision: Created,
    TemplateChanged, PolicyChanged, UsersChanged, ClusterChanged, MoveWentOn, Rebalanced,
    ScoresChanged, Unschedulable, Preempted, GaveWay or FleetChanged.
    `scores` are there where clusters were not all liked alike, `score_parts` where signals or
    plugins had a part in them, of a hundred clusters at most. `unheard` are plugins that gave no
    good answer, and why. `affinity` is the group of clusters
    that was chosen, `passed_over` why not those before it. `revision` is the store's: what was
    decided on is as of it.
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
    policy_generation: int = 0
    trigger: str = ""
    trigger_message: str = ""
    affinity: str = ""
    passed_over: dict[str, str] = {}
    reasons: tuple[RejectedGroup, ...] = ()
    scores: dict[str, int] = {}
    revision: int = 0
    score_parts: dict[str, tuple[ScorePart, ...]] = {}
    unheard: dict[str, str] = {}
    notes: tuple[str, ...] = ()
    """What else there is to say of it, in clauses."""


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


class PlacementStalled(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="placement.stalled.v1"
):
    """A fault of the scheduler keeps a template from being decided; what is decided stands.

    `resource` is as `deployments.apps`; `occurred_at` is RFC 3339.
    """

    resource: str
    namespace: str = ""
    name: str
    template_uid: str = ""
    template_generation: int = 0
    message: str
    occurred_at: str = ""


STALLED_TYPE = "placement.stalled.v1"


def encode_stalled(fact: PlacementStalled) -> bytes:
    return _encode(fact)
