"""Commands from other systems, and the facts that answer them.

A command is a CloudEvent on `hanse.commands.<verb>`, in binary mode (attributes in `ce-*` headers,
data in the body) or structured mode (`application/cloudevents+json`). Each is answered by one fact
on `hanse.events.command.completed.<id>` or `hanse.events.command.refused.<id>`, where `<id>` is
the `ce-id` of the command as one token (`subjects.encode_token`).
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.apimachinery.manifest import DEPTH_MAX, GroupVersionKind, Manifest, is_too_deep
from shared.errors import MalformedEvent
from shared.events.envelope import Envelope
from shared.events.scores import PublishScores

APPLY = "dev.hanse.commands.apply.v1"
DELETE = "dev.hanse.commands.delete.v1"
SCALE = "dev.hanse.commands.scale.v1"
SCORE = "dev.hanse.commands.score.v1"

COMPLETED = "completed"
REFUSED = "refused"

OBJECTS_MAX = 1000
"""Manifests in one command; more are better sent as several."""

_STRUCTURED = "application/cloudevents+json"
_ID_CHARACTERS_MAX = 200
# Text that is none, base64 that is none, and what is nested without an end.
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apply:
    """Make the hub hold these manifests, as `kubectl apply --server-side` does, in this order."""

    manifests: tuple[Manifest, ...]


class ObjectAddress(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which object; `namespace` defaults to `default` for a namespaced kind."""

    api_version: str
    kind: str
    namespace: str = ""
    name: str

    @property
    def gvk(self) -> GroupVersionKind:
        return GroupVersionKind.parse(self.api_version, self.kind)


class Delete(ObjectAddress, frozen=True, kw_only=True, rename="camel"):
    """Remove one object; one that is not there is removed already."""

    propagation_policy: str = ""


class Scale(ObjectAddress, frozen=True, kw_only=True, rename="camel"):
    """Give one object so many replicas."""

    replicas: int


Command = Apply | Delete | Scale | PublishScores


class CommandResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one object: created, applied, deleted, absent, scaled, scored or refused."""

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    outcome: str
    resource_version: str = ""
    code: int = 200
    reason: str = ""
    message: str = ""


class CommandAnswered(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """The answer to the command `id` of the system `source`; one result per object."""

    id: str
    source: str
    command: str
    occurred_at: str
    results: tuple[CommandResult, ...] = ()


class CommandCompleted(CommandAnswered, frozen=True, kw_only=True, tag="command.completed.v1"):
    """All of it was done."""


class CommandRefused(CommandAnswered, frozen=True, kw_only=True, tag="command.refused.v1"):
    """At least one part was not done, for `reason` (as Kubernetes' `Status` has it)."""

    reason: str
    message: str = ""


class _Structured(msgspec.Struct, frozen=True, kw_only=True):
    """CloudEvents JSON format 1.0, as far as commands use it."""

    specversion: str = "1.0"
    type: str = ""
    source: str = ""
    id: str = ""
    time: str | None = None
    subject: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"")
    data_base64: str | None = None


_decode_structured = msgspec.json.Decoder(_Structured).decode
_decode_any = msgspec.json.Decoder(Any).decode
_encode = msgspec.json.Encoder().encode


def read_envelope(headers: Mapping[str, str], body: bytes) -> tuple[Envelope, bytes]:
    """Return the envelope and the data of a CloudEvent in either mode; raises `MalformedEvent`."""
    lower = {name.lower(): value for name, value in headers.items()}
    if not lower.get("content-type", "").startswith(_STRUCTURED):
        return _checked(Envelope.read(headers)), body
    try:
        found = _decode_structured(body)
        coded = found.data_base64
        data = base64.b64decode(coded, validate=True) if coded is not None else bytes(found.data)
    except _UNREADABLE as err:
        raise MalformedEvent(f"not a CloudEvent in JSON: {err}") from err
    envelope = Envelope.read(
        {
            "ce-specversion": found.specversion,
            "ce-type": found.type,
            "ce-source": found.source,
            "ce-id": found.id,
        }
    )
    return _checked(envelope), data


def _checked(envelope: Envelope) -> Envelope:
    if len(envelope.id) > _ID_CHARACTERS_MAX:
        raise MalformedEvent(f"ce-id is longer than {_ID_CHARACTERS_MAX} characters")
    return envelope


def decode_command(event_type: str, data: bytes) -> Command:
    """Read the data of a command of that type; raises `MalformedEvent` that says what is wrong."""
    try:
        match event_type:
            case "dev.hanse.commands.apply.v1":
                return Apply(manifests=tuple(_manifests(_decode_any(data))))
            case "dev.hanse.commands.delete.v1":
                return msgspec.json.decode(data, type=Delete)
            case "dev.hanse.commands.scale.v1":
                return msgspec.json.decode(data, type=Scale)
            case "dev.hanse.commands.score.v1":
                return msgspec.json.decode(data, type=PublishScores)
    except _UNREADABLE as err:
        raise MalformedEvent(f"data of {event_type}: {err}") from err
    raise MalformedEvent(f"unknown command type {event_type[:200]}")


def _manifests(data: Any) -> Sequence[Manifest]:
    if isinstance(data, dict) and data.get("kind") == "List" and "items" in data:
        data = data["items"]
    found = data if isinstance(data, list) else [data]
    if not found or len(found) > OBJECTS_MAX:
        raise MalformedEvent(f"data of {APPLY}: between 1 and {OBJECTS_MAX} manifests, please")
    if not all(isinstance(each, dict) for each in found):
        raise MalformedEvent(f"data of {APPLY}: a manifest is an object")
    if is_too_deep(found):
        raise MalformedEvent(f"data of {APPLY}: nested deeper than {DEPTH_MAX}")
    return found


def encode_answer(answer: CommandAnswered) -> bytes:
    return _encode(answer)


def answer_type(answer: CommandAnswered) -> str:
    return str(answer.__struct_config__.tag)
