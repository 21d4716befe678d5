"""Knowing again what this hub left in a member by `--cascade=orphan` (pure).

Such an object gets an annotation that proves it: which membership left it, which object it was,
what it contained, who managed it, and which of its fields were ours. Applied at the hub once more,
it is taken back if all of that is still so: nobody else made it theirs meanwhile.
"""

import hashlib
from typing import Any

import msgspec

from services.propagator.core.adoption import (
    MARK_BYTES_MAX,
    OUR_MANAGERS,
    given_back,
    read_mark,
    unmarked,
)
from services.propagator.core.marks import MARKS, ORPHANED, applied_entry
from shared.apimachinery.manifest import Manifest, metadata_of, uid_of
from shared.events.orders import MANAGED_LABEL

_encode = msgspec.json.Encoder(order="sorted").encode
# Controllers note their own here, and whose object it is does not change by that.
_KEPT_METADATA = ("labels", "annotations", "ownerReferences")


class Orphaned(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an object was left.

    `membership` is the uid of the Cluster at the hub: another hub has another, as has a member
    that left and joined again. `fields` is our part of managedFields, where it is small enough.
    """

    at: str
    membership: str
    uid: str
    digest: str
    managers: tuple[str, ...] = ()
    fields: Manifest | None = None


def orphaned(live: Manifest, *, at: str, membership: str) -> Manifest:
    """The merge patch that leaves *live* as the member's own, to be known again."""
    patch = given_back(live)
    if not membership or read_mark(live) is not None:
        # What was somebody's before is theirs again.
        return patch
    mark = Orphaned(
        at=at,
        membership=membership,
        uid=uid_of(live),
        digest=_digest(live),
        managers=_others(live),
        fields=applied_entry(live),
    )
    text = _encode(mark)
    if len(text) > MARK_BYTES_MAX:
        text = _encode(msgspec.structs.replace(mark, fields=None))
    annotations = patch["metadata"].setdefault("annotations", {})
    annotations[ORPHANED] = text.decode()
    return patch


def taken_back(live: Manifest, membership: str) -> Manifest | None:
    """The merge patch by which *live* is Hanse's again; None where it may not be."""
    mark, metadata = _read(live), metadata_of(live)
    if mark is None or not membership or metadata.get("deletionTimestamp"):
        return None
    if (mark.membership, mark.uid) != (membership, uid_of(live)) or mark.digest != _digest(live):
        return None
    if not set(_others(live)) <= set(mark.managers):
        return None
    patch: dict[str, Any] = {
        "resourceVersion": metadata.get("resourceVersion"),
        "labels": {MANAGED_LABEL: "true"},
        "annotations": {ORPHANED: None},
    }
    if mark.fields is not None:
        # So that what the template no longer says goes, as if it had never been left.
        patch["managedFields"] = [*(metadata.get("managedFields") or ()), mark.fields]
    return {"metadata": patch}


def _read(live: Manifest) -> Orphaned | None:
    text = (metadata_of(live).get("annotations") or {}).get(ORPHANED)
    try:
        return msgspec.json.decode(text, type=Orphaned) if isinstance(text, str) else None
    except msgspec.DecodeError:
        return None


def _digest(live: Manifest) -> str:
    """Of what people would change to make it theirs: all but its status and its replicas."""
    metadata = unmarked(metadata_of(live), ORPHANED, *MARKS)
    content = {part: value for part, value in live.items() if part not in ("metadata", "status")}
    if isinstance(spec := content.get("spec"), dict):
        # Those are an autoscaler's, from the moment it is on its own.
        content["spec"] = {name: value for name, value in spec.items() if name != "replicas"}
    content["metadata"] = {part: metadata[part] for part in _KEPT_METADATA if metadata.get(part)}
    return hashlib.blake2b(_encode(content), digest_size=16).hexdigest()


def _others(live: Manifest) -> tuple[str, ...]:
    """Who else owns anything of it, by the main resource."""
    found = {
        f"{entry.get('manager')}/{entry.get('operation')}"
        for entry in metadata_of(live).get("managedFields") or ()
        if not entry.get("subresource") and entry.get("manager") not in OUR_MANAGERS
    }
    return tuple(sorted(found))
