"""Making orders: the marks that every object of Hanse bears in a member, and an order's digest.

Dispatch orders what policies place, traffic what makes services of other members known. Each only
ever touches orders of its own (`WorkOrder.ordered_by`).
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec

from shared.apimachinery.manifest import Manifest, ObjectKey, metadata_of
from shared.events.work import TOMBSTONE, WorkOrder, encode_order

MANAGED_LABEL = "hanse.dev/managed"
TEMPLATE_UID = "hanse.dev/template-uid"
WORK_GENERATION = "hanse.dev/work-generation"


@dataclass(frozen=True, slots=True)
class Encoded:
    """An order ready for the wire. The same one serves every cluster that is to hold the same."""

    order: WorkOrder
    body: bytes


def order_on(key: ObjectKey, *, manifest: msgspec.Raw = TOMBSTONE, **said: Any) -> Encoded:
    """The order to hold *manifest*, or to remove the object.

    *said*: the rest of a `WorkOrder`.
    """
    return seal(
        WorkOrder(
            resource=key.resource,
            namespaced=bool(key.namespace),
            namespace=key.namespace,
            name=key.name,
            manifest=manifest,
            digest="",
            **said,
        )
    )


def order_headers(encoded: Encoded, expected: int, *, source: str) -> dict[str, str]:
    """A CloudEvent without a message id: compare-and-set makes repeats harmless already."""
    return {
        "ce-specversion": "1.0",
        "ce-type": "dev.hanse.work.ordered.v1",
        "ce-source": f"hanse/{source}",
        "ce-id": f"{encoded.order.digest}-{expected}",
        "content-type": "application/json",
    }


def seal(order: WorkOrder) -> Encoded:
    """Give *order*, whose digest is empty, the digest of all that it says."""
    digest = hashlib.blake2b(encode_order(order), digest_size=16).hexdigest()
    sealed = msgspec.structs.replace(order, digest=digest)
    return Encoded(sealed, encode_order(sealed))


def stamp(manifest: Manifest, template_uid: str) -> Manifest:
    """Mark *manifest* as Hanse's, with room for the work generation at the very front.

    The last step, so that no override can take the marks away. Shares structure with *manifest*.
    """
    metadata = metadata_of(manifest)
    annotations = metadata.get("annotations") or {}
    return {
        "apiVersion": manifest.get("apiVersion"),
        "kind": manifest.get("kind"),
        "metadata": {
            "annotations": {
                WORK_GENERATION: "",
                TEMPLATE_UID: template_uid,
                **{
                    name: value
                    for name, value in annotations.items()
                    if name not in (WORK_GENERATION, TEMPLATE_UID)
                },
            },
            **{name: value for name, value in metadata.items() if name != "annotations"},
            "labels": {**(metadata.get("labels") or {}), MANAGED_LABEL: "true"},
        },
        **{
            name: value
            for name, value in manifest.items()
            if name not in ("apiVersion", "kind", "metadata")
        },
    }
