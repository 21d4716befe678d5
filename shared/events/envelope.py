"""CloudEvents 1.0 in binary mode over NATS: the attributes travel as `ce-*` headers.

Source: CloudEvents NATS protocol binding 1.0.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.clock import format_micro_time
from shared.errors import MalformedEvent

CONTENT_TYPE = "application/json"
MESSAGE_ID = "Nats-Msg-Id"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What an event says of itself. `subject` is the thing it is about, not the NATS subject."""

    type: str
    source: str
    id: str
    time: str | None = None
    subject: str | None = None

    def headers(self) -> dict[str, str]:
        """Headers for publishing; the id also makes a repeat harmless (`Nats-Msg-Id`)."""
        found = {
            "ce-specversion": "1.0",
            "ce-type": self.type,
            "ce-source": self.source,
            "ce-id": self.id,
            "content-type": CONTENT_TYPE,
            MESSAGE_ID: f"{self.source}/{self.id}",
        }
        if self.time is not None:
            found["ce-time"] = self.time
        if self.subject is not None:
            found["ce-subject"] = self.subject
        return found

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> "Envelope":
        """Raise `MalformedEvent` where a required attribute is missing."""
        lower = {name.lower(): value for name, value in headers.items()}
        missing = [name for name in ("ce-type", "ce-source", "ce-id") if not lower.get(name)]
        if missing:
            raise MalformedEvent(f"not a CloudEvent: missing {', '.join(missing)}")
        if lower.get("ce-specversion", "1.0") != "1.0":
            raise MalformedEvent(f"unknown CloudEvents version {lower['ce-specversion']}")
        return cls(
            type=lower["ce-type"],
            source=lower["ce-source"],
            id=lower["ce-id"],
            time=lower.get("ce-time"),
            subject=lower.get("ce-subject"),
        )


def fact_envelope(event_type: str, *, service: str, identity: str, at: datetime) -> Envelope:
    """Envelope of one of Hanse's facts; the same *identity* gives the same id (repeats merge)."""
    return Envelope(
        type=f"dev.hanse.{event_type}",
        source=f"hanse/{service}",
        id=str(uuid.uuid5(uuid.NAMESPACE_URL, f"{service}/{event_type}/{identity}")),
        time=format_micro_time(at),
    )
