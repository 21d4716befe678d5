"""Orders: making them from manifests, and which to publish, revoke or forget (pure).

`diff` compares what should lie in WORK for one object with what does. Publishing its plan and
asking again gives an empty plan.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from services.propagator.core.farewell import PLAIN_FAREWELL, Farewell
from shared.api.binding import BindingSpec
from shared.api.ownership import PLAIN, OwnershipTerms
from shared.apimachinery.manifest import Manifest, ObjectKey, encode
from shared.events.orders import Encoded, order_on, seal
from shared.events.work import WorkOrder, encode_order


@dataclass(frozen=True, slots=True)
class Held:
    """What WORK holds on one subject, without the manifest."""

    sequence: int
    digest: str
    template_uid: str
    template_generation: int
    api_version: str
    kind: str
    deleted: bool
    preserve_on_deletion: bool
    confirmed: bool = False
    """Of a tombstone: the member said that it was carried out."""
    since: str = ""
    terms: OwnershipTerms | msgspec.UnsetType = msgspec.UNSET
    ours: bool = False
    """Written by this process."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Clusters whose order changes; all sorted."""

    publish: tuple[str, ...]
    revoke: tuple[str, ...]
    forget: tuple[str, ...]


def diff(
    desired: Mapping[str, str],
    held: Mapping[str, Held],
    *,
    fleet: Collection[str],
    undecided: Collection[str] = (),
    since: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """*desired* is cluster -> digest. Clusters in *undecided* keep what they have.

    Those in *since* are asked again unless what they hold was ordered then: whatever they
    reported earlier is no evidence of what they hold now. A cluster outside *fleet* has left:
    its orders are forgotten, for nobody is there to obey.
    """
    publish = [
        cluster
        for cluster, digest in desired.items()
        if cluster in fleet
        and (
            cluster not in held
            or held[cluster].digest != digest
            or since.get(cluster, "") not in ("", held[cluster].since)
        )
    ]
    revoke = [
        cluster
        for cluster, one in held.items()
        if cluster in fleet
        and cluster not in desired
        and cluster not in undecided
        and not one.deleted
    ]
    forget = [cluster for cluster in held if cluster not in fleet]
    return Plan(tuple(sorted(publish)), tuple(sorted(revoke)), tuple(sorted(forget)))


def make_order(
    key: ObjectKey, manifest: Manifest, spec: BindingSpec, *, api_version: str, kind: str
) -> Encoded:
    """The order to hold *manifest*, as the binding's *spec* has it."""
    return order_on(
        key,
        manifest=msgspec.Raw(encode(manifest)),
        api_version=api_version,
        kind=kind,
        template_uid=spec.resource.uid,
        template_generation=spec.resource.generation,
        conflict_resolution=spec.conflict_resolution,
        preserve_on_deletion=spec.preserve_resources_on_deletion,
        terms=msgspec.UNSET if (terms := spec.terms) == PLAIN else terms,
        replaces=True if spec.former_template == "Delete" else msgspec.UNSET,
    )


def make_namespace_order(
    key: ObjectKey, manifest: Manifest, *, uid: str, generation: int
) -> Encoded:
    """The order for a namespace that is there for the sake of what lives in it.

    Abort: a namespace the member had before stays its own, and serves as well.
    """
    return order_on(
        key,
        manifest=msgspec.Raw(encode(manifest)),
        api_version="v1",
        kind="Namespace",
        template_uid=uid,
        template_generation=generation,
    )


def preserving(encoded: Encoded) -> Encoded:
    """The same order, whose object is to stay when it is revoked."""
    if encoded.order.preserve_on_deletion:
        return encoded
    return seal(msgspec.structs.replace(encoded.order, digest="", preserve_on_deletion=True))


def asking(encoded: Encoded, since: str) -> Encoded:
    """The same order, to be confirmed anew."""
    if not since:
        return encoded
    order = msgspec.structs.replace(encoded.order, since=since)
    return Encoded(order, encode_order(order))


def fenced(encoded: Encoded, term: int) -> Encoded:
    """The same order, to be carried out under *term* of the member's lease."""
    return seal(msgspec.structs.replace(encoded.order, digest="", fence=term))


def make_tombstone(key: ObjectKey, held: Held, farewell: Farewell = PLAIN_FAREWELL) -> Encoded:
    """The order to remove what *held* asked for, in the way that *farewell* says."""
    return order_on(
        key,
        api_version=held.api_version,
        kind=held.kind,
        template_uid=held.template_uid,
        template_generation=held.template_generation,
        preserve_on_deletion=held.preserve_on_deletion or farewell.preserve,
        terms=held.terms,
        cascade=msgspec.UNSET if farewell.cascade == "Background" else farewell.cascade,
        orphaned=True if farewell.orphan else msgspec.UNSET,
    )


def held_by(order: WorkOrder, sequence: int) -> Held:
    return Held(
        sequence=sequence,
        digest=order.digest,
        template_uid=order.template_uid,
        template_generation=order.template_generation,
        api_version=order.api_version,
        kind=order.kind,
        deleted=order.is_tombstone,
        preserve_on_deletion=order.preserve_on_deletion,
        since=order.since,
        terms=order.terms,
    )
