"""The life of a membership, as a table. A pair that is absent is illegal.

Being out of reach is no step of this life: health judges that, and a member stays a member.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from shared.api.cluster import JOINED as JOINED_CONDITION
from shared.api.conditions import find_condition
from shared.api.meta import Condition


class State(StrEnum):
    PENDING = "Pending"
    """Registered; nobody has proved yet which cluster it is."""
    JOINED = "Joined"
    REFUSED = "Refused"
    """It answered, and may not be a member."""
    LEFT = "Left"


class Trigger(StrEnum):
    PROVED = "Proved"
    DISPROVED = "Disproved"
    DELETED = "Deleted"


TRANSITIONS: Mapping[State, Mapping[Trigger, State]] = {
    State.PENDING: {
        Trigger.PROVED: State.JOINED,
        Trigger.DISPROVED: State.REFUSED,
        Trigger.DELETED: State.LEFT,
    },
    State.JOINED: {
        Trigger.PROVED: State.JOINED,
        Trigger.DISPROVED: State.REFUSED,
        Trigger.DELETED: State.LEFT,
    },
    State.REFUSED: {
        Trigger.PROVED: State.JOINED,
        Trigger.DISPROVED: State.REFUSED,
        Trigger.DELETED: State.LEFT,
    },
    State.LEFT: {},
}


class Reason(StrEnum):
    """Reasons of the condition Joined."""

    IDENTIFIED = "Identified"

    # Pending: it may still become a member by itself.
    AWAITING_CREDENTIALS = "AwaitingCredentials"
    UNUSABLE_CREDENTIALS = "UnusableCredentials"
    CREDENTIALS_REFUSED = "CredentialsRefused"
    UNREACHABLE = "Unreachable"
    NOT_UNDERSTOOD = "NotUnderstood"

    # Refused: somebody must change something.
    ALREADY_MEMBER = "AlreadyMember"
    HUB_ITSELF = "HubItself"
    IDENTITY_CHANGED = "IdentityChanged"
    UNSUPPORTED_VERSION = "UnsupportedVersion"
    NO_IDENTITY = "NoIdentity"


REFUSALS = frozenset(
    {
        Reason.ALREADY_MEMBER,
        Reason.HUB_ITSELF,
        Reason.IDENTITY_CHANGED,
        Reason.UNSUPPORTED_VERSION,
        Reason.NO_IDENTITY,
    }
)


def state_of(conditions: Sequence[Condition]) -> State:
    """Read the state of a registered cluster from its condition Joined."""
    joined = find_condition(conditions, JOINED_CONDITION)
    if joined is None:
        return State.PENDING
    if joined.status == "True":
        return State.JOINED
    return State.REFUSED if joined.reason in REFUSALS else State.PENDING


def next_state(state: State, trigger: Trigger) -> State:
    """Raises KeyError for a step that does not exist: a bug, not an answer."""
    return TRANSITIONS[state][trigger]
