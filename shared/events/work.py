"""What dispatch tells a member's worker about one object, and what the worker reports back.

Both are the last word on their subject: `hanse.work.<cluster>.<object>` and
`hanse.status.<cluster>.<object>`. The generation of a `WorkOrder` is the sequence of its message
in WORK, so it rises with every order for that object and needs no counter of its own.

A subject ends in words too, which expire after a while (`ENDS_KEPT`): in WORK a tombstone that is
marked as carried out, in STATUS the report that it was, or one that says nothing.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from shared.api.binding import Health
from shared.api.drift import DriftReport
from shared.api.ownership import PLAIN, OwnershipTerms
from shared.api.policy import ConflictResolution

URGENT = "Hanse-Urgent"
"""The header of orders that are not to wait behind others; its value says why."""

ENDED = "Hanse-Ended"
REMOVED = "removed"
"""The header of a tombstone of which nothing is left to do; its value says why. Who does not know
it, as an older worker, looks once more whether the object is gone."""

BY_TRAFFIC = "traffic/"
"""How `template_uid` begins in orders of traffic, which come from no template."""

TOMBSTONE = msgspec.Raw(b"null")
"""The manifest of an order to remove."""

FENCED = "Fenced"
"""Reason of a report: it has no replicas for now, since it may be another member's turn."""

TERMINATING = "Terminating"
"""Reason of a report: somebody else deletes it, and it is made anew once it is gone."""

REMOVING = "Removing"
"""Reason of a report: the member agreed to remove it, and the message says what holds it."""


class WorkOrder(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="work.ordered.v1"):
    """Desired state of one object in one member. `manifest` null is a tombstone: remove it.

    `digest` is over everything but itself and `since`, so dispatch can tell an unchanged order
    without keeping manifests. `since` (RFC 3339, or empty) is that of the decision's target: an
    order that is new in nothing else asks the member to say once more what it holds, since a
    share elsewhere goes on the strength of it. `template_uid` and `template_generation` say what
    it was rendered from. `terms` is left out where the policy says nothing special.
    """

    api_version: str
    kind: str
    resource: str
    namespaced: bool
    namespace: str
    name: str
    # `Raw | None` cannot be decoded: the null is kept as it is written.
    manifest: msgspec.Raw
    digest: str
    template_uid: str
    template_generation: int
    conflict_resolution: ConflictResolution = "Abort"
    preserve_on_deletion: bool = False
    since: str = ""
    # Not encoded where it is not set: plain orders stay as small, and keep their digest.
    terms: OwnershipTerms | msgspec.UnsetType = msgspec.UNSET
    # Of a tombstone: how the member deletes what depends on the object; unset is Background.
    cascade: Literal["Background", "Foreground"] | msgspec.UnsetType = msgspec.UNSET
    # Of a tombstone: the object stays for the template alone was deleted, and may be taken back.
    orphaned: bool | msgspec.UnsetType = msgspec.UNSET
    # Where fencing is required: the term of the member's lease under which it may run.
    fence: int | msgspec.UnsetType = msgspec.UNSET
    # Where what the member holds may be of a deleted template: it goes first if it has to.
    replaces: bool | msgspec.UnsetType = msgspec.UNSET
    # Whose it is; unset is dispatch's. Nothing but its report tells what became of another's.
    ordered_by: Literal["traffic"] | msgspec.UnsetType = msgspec.UNSET
    # Its name was coined with a digest for this object: nobody has another of that name.
    coined: bool | msgspec.UnsetType = msgspec.UNSET

    @property
    def ownership(self) -> OwnershipTerms:
        return PLAIN if isinstance(self.terms, msgspec.UnsetType) else self.terms

    @property
    def is_dispatched(self) -> bool:
        """Whether dispatch gave it, by a decision; it leaves others' alone, and they its own."""
        return self.ordered_by is msgspec.UNSET

    @property
    def is_tombstone(self) -> bool:
        return bytes(self.manifest) == b"null"

    @property
    def is_urgent(self) -> bool:
        """Whether it removes something, or takes the place of a share elsewhere."""
        return bool(self.since) or self.is_tombstone


class WorkReport(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="work.reported.v1"
):
    """Observed state of one object in one member.

    `generation` is that of the order it speaks of. `applied` is False with `reason` (PascalCase)
    and `message` while the member does not hold what was ordered; `present` says whether the
    object exists there, as far as is known: see `is_removed`.
    `status` is the member object's own, as the interpreter reflects it; empty until the member's
    controllers have looked at what was applied. `replicas_owner` is Member where somebody there
    decides how many run. `drift` is what stands of it, and absent where there is none.
    """

    generation: int
    template_uid: str
    template_generation: int
    applied: bool
    present: bool
    observed_time: str
    reason: str = ""
    message: str = ""
    health: Health = "Unknown"
    status: dict[str, Any] = {}
    uid: str = ""
    resource_version: str = ""
    # Of what field manager `hanse` owned right after the apply, so that drift which happened
    # while no worker watched is seen by the next one.
    fields_digest: str = ""
    replicas_owner: Literal["Hanse", "Member"] = "Hanse"
    drift: DriftReport | msgspec.UnsetType = msgspec.UNSET
    # The order's own, where it had one.
    since: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_dispatched(self) -> bool:
        """Whether it answers an order of dispatch, and so concerns a template."""
        return not self.template_uid.startswith(BY_TRAFFIC)

    @property
    def is_removed(self) -> bool:
        """Whether it fulfils a tombstone. One that was not carried out knows of nothing gone."""
        return self.applied and not self.present


def is_end(headers: Mapping[str, str]) -> bool:
    """Whether an order with these headers asks for nothing: it is said once all is done."""
    return ENDED in headers


_decode_order = msgspec.json.Decoder(WorkOrder).decode
_decode_report = msgspec.json.Decoder(WorkReport).decode
_encode = msgspec.json.Encoder().encode


def encode_order(order: WorkOrder) -> bytes:
    return _encode(order)


def decode_order(body: bytes) -> WorkOrder:
    """Raises `msgspec.DecodeError`."""
    return _decode_order(body)


def encode_report(report: WorkReport) -> bytes:
    return _encode(report)


def decode_report(body: bytes) -> WorkReport:
    """Raises `msgspec.DecodeError`."""
    return _decode_report(body)
