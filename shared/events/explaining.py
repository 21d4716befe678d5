"""Why a template is where it is: the request `hanse.api.explain` and its answer.

A decision is recorded as the fact that tells of it (`placement.decided`), for as long as facts are
kept. Where it is older than that, or was never told, the scheduler answers what the same function
says now, and `recorded` is False.
"""

from typing import Literal

import msgspec

from shared.apimachinery.manifest import ObjectKey
from shared.events.placement import PlacedShare, ScorePart
from shared.events.traffic import TrafficExplanation

Standing = Literal["Placed", "Leaving", "NotPlaced"]


class ExplainRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A template by its resource (`deployments` of `apps/v1`).

    `at` is a time in RFC 3339: the decision that stood then; empty: the one that stands.
    """

    api_version: str
    kind: str
    resource: str
    namespace: str = ""
    name: str
    at: str = ""

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(
            self.api_version.rpartition("/")[0], self.resource, self.namespace, self.name
        )


class ClusterVerdict(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the decision says of one cluster.

    `replicas` None: the whole. `code` and `message` say why it is not there, or leaves: a word for
    programs, a clause for people. `score` is there where clusters were not liked alike, and what
    signals and plugins had for a part in it.
    """

    cluster: str
    standing: Standing
    replicas: int | None = None
    code: str = ""
    message: str = ""
    score: int | None = None
    parts: tuple[ScorePart, ...] = ()


class EarlierDecision(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of the history: when, what led to it, and where it went."""

    decided_at: str
    trigger: str = ""
    trigger_message: str = ""
    scheduled: bool = True
    clusters: tuple[PlacedShare, ...] = ()


class Explanation(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`revision` is the store's: all that was decided on is as of it.

    `clusters` are in order of their names. `now` are verdicts that would be others today, where the
    decision is a recorded one. `earlier` are decisions before it, the newest first.
    """

    api_version: str = "hanse.dev/v1alpha1"
    kind: str = "Explanation"
    about: str
    namespace: str = ""
    name: str
    recorded: bool
    decided_at: str = ""
    trigger: str = ""
    trigger_message: str = ""
    policy: str = ""
    policy_generation: int = 0
    template_generation: int = 0
    revision: int = 0
    scheduled: bool
    reason: str
    message: str
    replicas: int | None = None
    affinity: str = ""
    passed_over: dict[str, str] = {}
    unheard: dict[str, str] = {}
    """Plugins that gave no good answer, and why."""
    notes: tuple[str, ...] = ()
    """What else there is to say of the decision, in clauses."""
    needed_by: tuple[str, ...] = ()
    """For whose sake it is there, as `Deployment shop/web`."""
    missing: tuple[str, ...] = ()
    """What it refers to and is not at the hub."""
    clusters: tuple[ClusterVerdict, ...] = ()
    now: tuple[ClusterVerdict, ...] = ()
    earlier: tuple[EarlierDecision, ...] = ()
    traffic: tuple[TrafficExplanation, ...] = ()
    """Of a Service: how its traffic is shared, by policy."""
