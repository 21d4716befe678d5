"""Every stream, bucket and consumer of Hanse, with its limits: nowhere else is one declared.

Ages and sizes are chosen so that no stream can grow without bound. `replicas` is 1 on one machine
and 3 in production.
"""

from dataclasses import dataclass
from datetime import timedelta

from shared.events import subjects

MEBIBYTE = 1024 * 1024

MESSAGE_BYTES_MAX = 8 * MEBIBYTE
"""NATS' `max_payload`: an object, its envelope, and room for managed fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A JetStream stream; a bucket is one whose subjects begin with `$KV.`."""

    name: str
    subjects: tuple[str, ...]
    per_subject_max: int = -1
    age_max: timedelta | None = None
    bytes_max: int = -1
    work_queue: bool = False
    message_ttl: bool = False
    expiry_markers: bool = False
    """Readers are told when a message's time is over."""
    replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A durable position in a stream, shared by the replicas of a service."""

    stream: Stream
    name: str
    filters: tuple[str, ...] = ()
    exclusive: bool = False
    """Pinned: one process at a time receives; another takes over when it falls silent."""
    ack_wait: timedelta = timedelta(seconds=30)
    pending_max: int = 500
    attempts_max: int = -1


OBJECTS = Stream(
    name="KV_OBJECTS",
    subjects=("$KV.OBJECTS.>",),
    # Eight and more: readers of a snapshot miss keys overwritten during it otherwise.
    per_subject_max=8,
    message_ttl=True,
)
SECRETS = Stream(name="KV_SECRETS", subjects=("$KV.SECRETS.>",), per_subject_max=1)
HEALTH = Stream(
    name="KV_HEALTH",
    subjects=("$KV.HEALTH.>",),
    per_subject_max=1,
    message_ttl=True,
    expiry_markers=True,
)
WORK = Stream(name="WORK", subjects=(f"{subjects.WORK}.>",), per_subject_max=1)
STATUS = Stream(name="STATUS", subjects=(f"{subjects.STATUS}.>",), per_subject_max=1)
EVENTS = Stream(
    name="EVENTS",
    subjects=(f"{subjects.EVENTS}.>",),
    age_max=timedelta(days=7),
    bytes_max=1024 * MEBIBYTE,
)
COMMANDS = Stream(
    name="COMMANDS",
    subjects=(f"{subjects.COMMANDS}.>",),
    age_max=timedelta(days=1),
    bytes_max=256 * MEBIBYTE,
    work_queue=True,
)
DEAD = Stream(
    name="DEAD",
    subjects=(f"{subjects.DEAD}.>",),
    age_max=timedelta(days=28),
    bytes_max=256 * MEBIBYTE,
)

STREAMS = (OBJECTS, SECRETS, HEALTH, WORK, STATUS, EVENTS, COMMANDS, DEAD)

DELETE_MARKER_TTL = timedelta(days=1)
"""How long OBJECTS remembers that a key was deleted; a process away for longer starts afresh."""


def worker(cluster: str) -> Consumer:
    """The position of one member's apply worker in WORK."""
    return Consumer(
        stream=WORK,
        name=f"worker-{subjects.encode_token(cluster)}",
        filters=(f"{subjects.WORK}.{subjects.encode_token(cluster)}.>",),
        exclusive=True,
    )


def commands() -> Consumer:
    """The position of the registry, the door for other systems' commands."""
    return Consumer(stream=COMMANDS, name="registry", attempts_max=20)
