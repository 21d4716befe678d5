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
    rolled_up: bool = False
    """Each message removes the earlier ones of its subject by its own word.

    What a limit removes is not marked in the server's files. A server that was killed finds it
    again, and where the last message of the subject was removed, shows an older one in its place.
    So a stream from which last messages are removed has no limit per subject.
    """
    age_max: timedelta | None = None
    bytes_max: int = -1
    work_queue: bool = False
    message_ttl: bool = False
    expiry_markers: bool = False
    """Readers are told when a message's time is over."""
    replicas: int = 1

    @property
    def keeps_last_only(self) -> bool:
        """Whether there is one message of a subject at a time: all of them are the last ones."""
        return self.rolled_up or self.per_subject_max == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A durable position in a stream, shared by the replicas of a service."""

    stream: Stream
    name: str
    filters: tuple[str, ...] = ()
    exclusive: bool = False
    """Pinned: one process at a time receives; another takes over when it falls silent."""
    ack_wait: timedelta = timedelta(seconds=30)
    kept: bool = False
    """A process that is alive keeps what it was handed, however long that waits its turn."""
    pending_max: int = 500
    attempts_max: int = -1


OBJECTS = Stream(
    name="KV_OBJECTS",
    subjects=("$KV.OBJECTS.>",),
    # No limit per subject: delete markers expire. The store purges all but `OBJECTS_HISTORY`.
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
SCORES = Stream(
    name="KV_SCORES",
    subjects=("$KV.SCORES.>",),
    per_subject_max=1,
    bytes_max=64 * MEBIBYTE,
    message_ttl=True,
    expiry_markers=True,
)
LATENCIES = Stream(
    name="KV_LATENCIES",
    subjects=("$KV.LATENCIES.>",),
    per_subject_max=1,
    bytes_max=64 * MEBIBYTE,
    message_ttl=True,
    expiry_markers=True,
)
TRAFFIC = Stream(
    name="KV_TRAFFIC",
    subjects=("$KV.TRAFFIC.>",),
    per_subject_max=1,
    bytes_max=64 * MEBIBYTE,
    message_ttl=True,
    expiry_markers=True,
)
LEASES = Stream(name="KV_LEASES", subjects=("$KV.LEASES.>",), per_subject_max=1)
# What is over is told by a last message, which expires.
WORK = Stream(name="WORK", subjects=(f"{subjects.WORK}.>",), rolled_up=True, message_ttl=True)
STATUS = Stream(name="STATUS", subjects=(f"{subjects.STATUS}.>",), rolled_up=True, message_ttl=True)
HEARTBEATS = Stream(name="HEARTBEATS", subjects=(f"{subjects.HEARTBEATS}.>",), rolled_up=True)
# What members export and where that answers, and what came of it. Nothing lies here unless
# somebody exports a service.
ENDPOINTS = Stream(
    name="ENDPOINTS",
    subjects=(f"{subjects.ENDPOINTS}.>", f"{subjects.EXPORTS}.>"),
    rolled_up=True,
    message_ttl=True,
)
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

STREAMS = (
    OBJECTS,
    SECRETS,
    HEALTH,
    SCORES,
    LATENCIES,
    TRAFFIC,
    LEASES,
    WORK,
    STATUS,
    HEARTBEATS,
    ENDPOINTS,
    EVENTS,
    COMMANDS,
    DEAD,
)

_ROLLED_UP = tuple(
    subject.removesuffix(">")
    for stream in STREAMS
    if stream.rolled_up
    for subject in stream.subjects
)


def is_rolled_up(subject: str) -> bool:
    """Whether a message on *subject* is to say that it takes the place of all before it."""
    return subject.startswith(_ROLLED_UP)


OBJECTS_HISTORY = 8
"""Versions of an object that are kept at least: readers of a snapshot miss keys that are
overwritten away during it."""

DELETE_MARKER_TTL = timedelta(days=1)
"""How long OBJECTS remembers that a key was deleted; a process away for longer starts afresh."""


ENDS_KEPT = timedelta(hours=1)
"""How long WORK, STATUS and ENDPOINTS tell that an object is nobody's matter any more; a reader
that was away for half as long reads everything anew."""


WORKS_PENDING_MAX = 20_000
"""Orders for one member that its worker knows of before any is done."""


def worker(cluster: str) -> Consumer:
    """The position of one member's apply worker in WORK."""
    return Consumer(
        stream=WORK,
        name=f"worker-{subjects.encode_token(cluster)}",
        filters=(f"{subjects.WORK}.{subjects.encode_token(cluster)}.>",),
        exclusive=True,
        # The worker decides whose turn it is, so it must know of much that waits.
        kept=True,
        pending_max=WORKS_PENDING_MAX,
    )


def commands() -> Consumer:
    """The position of the registry, the door for other systems' commands."""
    return Consumer(stream=COMMANDS, name="registry", attempts_max=20)
