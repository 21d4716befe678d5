"""What became of work: facts for other systems and for audit.

Subjects: `hanse.events.work.applied.<key>`, `hanse.events.work.refused.<key>`,
`hanse.events.work.removed.<key>`, `hanse.events.work.strayed.<key>` and
`hanse.events.override.failed.<key>`, where key is `cluster/resource.group/namespace/name`.
"""

import msgspec

from shared.apimachinery.manifest import ObjectKey
from shared.errors import MalformedEvent


class WorkFact(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """One object in one member. `generation` is that of the order: its sequence in WORK.

    `occurred_at` is RFC 3339, as in every fact.
    """

    cluster: str
    api_version: str
    kind: str
    resource: str
    namespace: str = ""
    name: str
    generation: int
    template_uid: str = ""
    template_generation: int = 0
    occurred_at: str = ""


class WorkApplied(WorkFact, frozen=True, kw_only=True, tag="work.applied.v1"):
    """The member holds what was ordered."""


class WorkRefused(WorkFact, frozen=True, kw_only=True, tag="work.refused.v1"):
    """The member did not take what was ordered, for `reason` (PascalCase); it is tried again."""

    reason: str
    message: str = ""


class WorkRemoved(WorkFact, frozen=True, kw_only=True, tag="work.removed.v1"):
    """The member no longer holds the object, or keeps it as its own (`preserved`).

    `kept_for`: what lives in a namespace, or is of a defined kind, and was not to be deleted.
    """

    preserved: bool = False
    kept_for: str = ""


class WorkStrayed(WorkFact, frozen=True, kw_only=True, tag="work.strayed.v1"):
    """The member holds an object with Hanse's marks of which nothing is ordered; it stays.

    It was deleted at the hub while the member had left, or came back with the member from a backup.
    `generation` is that of the order it was made by. What bears traffic's marks is taken back.
    """


class OverrideFailed(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="override.failed.v1"
):
    """An override does not fit an object: its cluster keeps what it had."""

    cluster: str
    policy: str
    policy_namespace: str = ""
    resource: str
    namespace: str = ""
    name: str
    template_generation: int = 0
    message: str
    occurred_at: str = ""


_read_strayed = msgspec.json.Decoder(WorkStrayed).decode


def decode_strayed(body: bytes) -> WorkStrayed:
    """Raise `MalformedEvent` for anything else."""
    try:
        return _read_strayed(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as err:
        raise MalformedEvent(f"no fact of a stray: {err}") from err


def fact_key(cluster: str, key: ObjectKey) -> str:
    """The last token of a fact's subject, before encoding."""
    return f"{cluster}/{key.group_resource}/{key.namespace}/{key.name}"
