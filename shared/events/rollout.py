"""How a rollout goes: facts for other systems and for audit.

Subjects: `hanse.events.rollout.<past tense>.<key>`, where key is `resource.group/namespace/name`
of the template. Each is published after the status that says so was committed, under an id that
follows from rollout, revision, attempt and stage, so that a repeat is the same event.
"""

import msgspec

from shared.errors import MalformedEvent

NOUN = "rollout"


class RolloutFact(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """`revision` is the one the clusters are to be given. `occurred_at` is RFC 3339."""

    api_version: str
    kind: str
    resource: str
    namespace: str = ""
    name: str
    revision: int
    attempt: int = 0
    occurred_at: str = ""


class RolloutStarted(RolloutFact, frozen=True, kw_only=True, tag="rollout.started.v1"):
    """There is a new revision, or another attempt at one. `complete_revision` 0: none before."""

    complete_revision: int = 0


class StageReleased(RolloutFact, frozen=True, kw_only=True, tag="rollout.stage-released.v1"):
    """The clusters of a stage may be given the revision."""

    stage: str
    clusters: tuple[str, ...] = ()


class ApprovalRequested(
    RolloutFact, frozen=True, kw_only=True, tag="rollout.approval-requested.v1"
):
    """Everything before the stage is done, and somebody has to say yes."""

    stage: str


class RolloutFailed(RolloutFact, frozen=True, kw_only=True, tag="rollout.failed.v1"):
    """Too many clusters of a stage failed. `returning_to` 0: nothing is given back."""

    message: str
    returning_to: int = 0


class RolloutRolledBack(RolloutFact, frozen=True, kw_only=True, tag="rollout.rolled-back.v1"):
    """Every cluster holds the last complete revision again."""

    complete_revision: int


class RolloutCompleted(RolloutFact, frozen=True, kw_only=True, tag="rollout.completed.v1"):
    """Every cluster was given the revision."""


AnyRolloutFact = (
    RolloutStarted
    | StageReleased
    | ApprovalRequested
    | RolloutFailed
    | RolloutRolledBack
    | RolloutCompleted
)

_encode = msgspec.json.Encoder().encode
_decoder: msgspec.json.Decoder[AnyRolloutFact] = msgspec.json.Decoder(AnyRolloutFact)


def encode_rollout_fact(fact: AnyRolloutFact) -> bytes:
    return _encode(fact)


def decode_rollout_fact(body: bytes) -> AnyRolloutFact:
    """Raise `MalformedEvent`."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as err:
        raise MalformedEvent(f"not a fact about a rollout: {err}") from err


def type_of(fact: AnyRolloutFact) -> str:
    """`rollout.started.v1`."""
    return str(fact.__struct_config__.tag)


def past_tense_of(fact: AnyRolloutFact) -> str:
    """`started`: the third word of the subject."""
    return type_of(fact).split(".")[1]
