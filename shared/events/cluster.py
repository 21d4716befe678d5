"""What is said of member clusters: observations between health's own parts, and facts for all.

An `Observation` is the last word of one observer about one member; it lies on the board HEALTH
under `subjects.health` and expires with its observer. Facts are past tense and never change.
"""

from enum import StrEnum

import msgspec

from shared.api.cluster import Capacity
from shared.errors import MalformedEvent


class Reach(StrEnum):
    """What an observer, or all of them together, make of a member."""

    REACHABLE = "Reachable"
    SUSPECT = "Suspect"
    """Lately silent or unwell, not often enough to believe it."""
    NOT_READY = "NotReady"
    """It answers, and says that it is not ready."""
    CREDENTIALS_REFUSED = "CredentialsRefused"
    """It answers, and does not let us in."""
    UNREACHABLE = "Unreachable"
    UNKNOWN = "Unknown"
    """Nobody has looked."""


class Observation(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="cluster.observed.v1"
):
    """`failures` counts probes in a row without a good answer; times are RFC 3339.

    `refusal` says what the member, though reachable, did not let us read. `region` is the
    observer's. `throttled`: the member asked for fewer requests, which is an answer.
    `credentials_expire` is empty where they do not say when they end. `own`: it is the word of the
    propagator beside the member.
    """

    cluster: str
    observer: str
    reach: Reach
    observed_time: str
    failures: int = 0
    message: str = ""
    latency_milliseconds: int | None = None
    capacity: Capacity | None = None
    refusal: str = ""
    region: str = ""
    throttled: bool = False
    credentials_expire: str = ""
    own: bool = False


class ObserverWord(msgspec.Struct, frozen=True, kw_only=True):
    """What one observer said of a member when a verdict was passed: its evidence."""

    observer: str
    region: str = ""
    reach: Reach
    message: str = ""


class ClusterFact(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """Something that happened to a member."""

    cluster: str
    occurred_at: str
    region: str = ""
    provider: str = ""


class ClusterJoined(ClusterFact, frozen=True, kw_only=True, tag="cluster.joined.v1"):
    """`id` is the uid of the member's namespace kube-system."""

    id: str
    kubernetes_version: str = ""


class ClusterLeft(ClusterFact, frozen=True, kw_only=True, tag="cluster.left.v1"):
    """Its registration and credentials are gone; what runs there runs on."""


class ClusterVerdict(ClusterFact, frozen=True, kw_only=True):
    """The verdict on a member changed; `evidence` is what each observer said then."""

    message: str = ""
    evidence: tuple[ObserverWord, ...] = ()


class ClusterSuspected(ClusterVerdict, frozen=True, kw_only=True, tag="cluster.suspected.v1"):
    """Too few observers reach it to be sure, or to be sure that it is gone: nothing moves."""


class ClusterBecameNotReady(
    ClusterVerdict, frozen=True, kw_only=True, tag="cluster.became-not-ready.v1"
):
    """It answers, and says that it is not ready: nothing new goes there."""


class ClusterRefusedCredentials(
    ClusterVerdict, frozen=True, kw_only=True, tag="cluster.refused-credentials.v1"
):
    """It answers, and does not let us in: nothing new goes there."""


class ClusterBecameUnreachable(
    ClusterVerdict, frozen=True, kw_only=True, tag="cluster.became-unreachable.v1"
):
    tainted: bool = True
    """False while the brake holds: too much of the fleet seems gone at once."""


class ClusterCredentialsExpiring(
    ClusterVerdict, frozen=True, kw_only=True, tag="cluster.credentials-expiring.v1"
):
    """What Hanse calls the member with ends soon, at `expires_at`, and has to be given anew."""

    expires_at: str = ""


class ClusterFailoverHeld(
    ClusterVerdict, frozen=True, kw_only=True, tag="cluster.failover-held.v1"
):
    """It is unreachable, and not given up for now, for `reason` (PascalCase)."""

    reason: str = ""


class ClusterTainted(ClusterVerdict, frozen=True, kw_only=True, tag="cluster.tainted.v1"):
    """It is unreachable and tainted NoExecute: what does not tolerate that leaves."""


class ClusterFenced(ClusterFact, frozen=True, kw_only=True, tag="cluster.fenced.v1"):
    """The lease of the propagator beside it was revoked: what is fenced has stopped there.

    `term` is that which is over; `silent_seconds` how long its last renewal was waited for.
    """

    term: int
    silent_seconds: float


class ClusterRecovered(ClusterVerdict, frozen=True, kw_only=True, tag="cluster.recovered.v1"):
    """It was unreachable, and is well again."""


_encode = msgspec.json.Encoder().encode
_decode_observation = msgspec.json.Decoder(Observation).decode


def encode_event(event: Observation | ClusterFact) -> bytes:
    return _encode(event)


def decode_observation(body: bytes) -> Observation:
    """Raise `MalformedEvent`."""
    try:
        return _decode_observation(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"not an observation: {err}") from err


def fact_type(fact: ClusterFact) -> str:
    """Return the type as envelopes write it: `cluster.joined.v1`."""
    return str(fact.__struct_config__.tag)


def past_tense_of(fact: ClusterFact) -> str:
    """`joined`: the third word of the subject."""
    return fact_type(fact).split(".")[1]
