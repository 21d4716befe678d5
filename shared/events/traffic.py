"""How traffic is shared, for whoever carries it: plans, the feed of them, and what comes back.

`hanse.api.traffic` answers with plans: each is all that a load balancer, a route or a feed needs of
one policy. Load balancers say in turn what came and what failed (`hanse.api.traffic.report`, or
straight on the board TRAFFIC): shifts and overflow go by that. A split that changed is a fact on
`hanse.events.traffic.split-changed.<namespace/policy>`.
"""

from datetime import timedelta
from typing import Literal

import msgspec

from shared.api.traffic_policy import TrafficStatus
from shared.apimachinery.manifest import Manifest
from shared.errors import MalformedEvent
from shared.events.subjects import decode_token, encode_token

PlanProtocol = Literal["HTTP", "TCP", "UDP", "SCTP"]
SessionAffinity = Literal["None", "ClientIP", "Cookie"]

NOUN = "traffic"
BOARD = "TRAFFIC"
WORD_TTL = timedelta(seconds=15)
"""How long a word stands that is not said again."""


class PlanShare(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`share` is in parts of 10,000; those of one split sum to that, or there is none."""

    cluster: str
    share: int


class PlanSplit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """For traffic from one region; region "" is from anywhere else."""

    region: str = ""
    shares: tuple[PlanShare, ...] = ()


class PlanBackend(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Where a cluster takes its share: an endpoint that is ready, or a gateway of the cluster."""

    cluster: str
    host: str
    port: int
    region: str = ""
    zone: str = ""
    gateway: bool = False


class TrafficPlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One policy's split, and where each cluster takes its share.

    `since` is when the policy was made (RFC 3339): of two that cannot both be carried the older is.
    Without a split for the region one asks from, that of region "" counts; without any, nobody
    takes its traffic, or another policy speaks for the service.
    `sessionAffinity` and `sessionSeconds`: whether a client stays with a backend, and how long.
    """

    namespace: str
    policy: str
    service: str
    port: int = 0
    port_name: str = ""
    protocol: PlanProtocol = "TCP"
    hosts: tuple[str, ...] = ()
    session_affinity: SessionAffinity = "None"
    session_seconds: int = 10_800
    splits: tuple[PlanSplit, ...] = ()
    backends: tuple[PlanBackend, ...] = ()
    since: str = ""

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.policy}"

    def shares_from(self, region: str) -> dict[str, int]:
        """Return the shares above 0 of traffic from *region*."""
        by_region = {one.region: one for one in self.splits}
        found = by_region.get(region) or by_region.get("")
        return {one.cluster: one.share for one in found.shares if one.share} if found else {}


class TrafficRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Which plans: all, or those of a namespace, of one service in it, or of one policy in it."""

    namespace: str = ""
    service: str = ""
    policy: str = ""


class TrafficFeed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The plans asked for, in order of their keys; `warnings` names policies that have none."""

    api_version: str = "hanse.dev/v1alpha1"
    kind: str = "TrafficFeed"
    plans: tuple[TrafficPlan, ...] = ()
    warnings: tuple[str, ...] = ()


class EarlierSplit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of the history: shares of traffic from no region in particular, since *at*."""

    at: str
    shares: tuple[PlanShare, ...] = ()
    shift: str = ""


class TrafficExplanation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a policy shares traffic and why: its status, and what was before, the newest first."""

    policy: str
    status: TrafficStatus
    earlier: tuple[EarlierSplit, ...] = ()


class TrafficExplanations(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """By policy, in order of their names; the answer to a `TrafficRequest`."""

    api_version: str = "hanse.dev/v1alpha1"
    kind: str = "TrafficExplanations"
    policies: tuple[TrafficExplanation, ...] = ()
    warnings: tuple[str, ...] = ()


Form = Literal["json", "httproute", "endpointslices", "ingress", "multiclusteringress", "haproxy"]


class TrafficRenderRequest(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    """One policy in one form, for traffic from *region*; *gateway* is the parent of a route."""

    namespace: str
    policy: str
    form: Form = "json"
    region: str = ""
    gateway: str = "gateway"


class TrafficRendering(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`objects` are manifests, or the plan itself; `text` is what is none (HAProxy's file)."""

    api_version: str = "hanse.dev/v1alpha1"
    kind: str = "TrafficRendering"
    objects: tuple[Manifest, ...] = ()
    text: str = ""


class ClusterCount(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Since the load balancer began to count: `errors` are answers of 500 or above, or none."""

    cluster: str
    requests: int
    errors: int = 0


class FrontTrouble(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why a load balancer does not carry a policy's traffic as decided: a word, and a clause."""

    reason: Literal["PortTaken", "HostTaken", "ProtocolNotSupported", "NotCarried"]
    message: str


class TrafficWord(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What one load balancer counted of one policy's traffic; its last word stands for 15 s.

    `epoch` changes when it begins to count anew. `rate` is in requests per second, lately.
    `trouble` is there where it does not carry it as decided.
    """

    namespace: str
    policy: str
    front: str
    region: str = ""
    epoch: str = ""
    rate: float = 0.0
    counts: tuple[ClusterCount, ...] = ()
    trouble: FrontTrouble | None = None


class TrafficReports(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The request by which a load balancer says its words; answered by how many were taken."""

    words: tuple[TrafficWord, ...] = ()


class TrafficReportsTaken(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    api_version: str = "hanse.dev/v1alpha1"
    kind: str = "TrafficReportsTaken"
    taken: int = 0


class SplitChanged(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    tag_field="type",
    tag="traffic.split-changed.v1",
):
    """Traffic is shared otherwise than before; `before` and `after` by region.

    `reasons` says of each cluster why it gets what it gets, of traffic from no region in
    particular: a word for programs. `shift` is how far a shift has come, in words.
    """

    namespace: str
    policy: str
    service: str
    uid: str = ""
    before: tuple[PlanSplit, ...] = ()
    after: tuple[PlanSplit, ...] = ()
    reasons: dict[str, str] = {}
    shift: str = ""
    occurred_at: str = ""


TYPE = "traffic.split-changed.v1"
PAST_TENSE = "split-changed"

_encode = msgspec.json.Encoder().encode
_decode_fact = msgspec.json.Decoder(SplitChanged).decode
_decode_word = msgspec.json.Decoder(TrafficWord).decode


def encode_traffic(value: SplitChanged | TrafficWord) -> bytes:
    return _encode(value)


def decode_split_changed(body: bytes) -> SplitChanged:
    """Raise `MalformedEvent`."""
    try:
        return _decode_fact(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"not a fact about traffic: {err}") from err


def decode_word(body: bytes) -> TrafficWord:
    """Raise `MalformedEvent`."""
    try:
        return _decode_word(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"not a word about traffic: {err}") from err


def word_key(word: TrafficWord) -> str:
    """Key of a load balancer's word on the board TRAFFIC."""
    parts = (word.namespace, word.policy, word.front)
    return ".".join(encode_token(part) for part in parts)


def parse_word_key(key: str) -> tuple[str, str, str]:
    """Read namespace, policy and front; raises ValueError."""
    namespace, policy, front = key.split(".")
    return decode_token(namespace), decode_token(policy), decode_token(front)
