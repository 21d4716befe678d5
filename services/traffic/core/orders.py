"""Traffic's orders: made from manifests, and which to publish, revoke or forget (pure)."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import msgspec

from services.traffic.core.catalogue import ServiceName
from shared.api.ownership import OwnershipTerms
from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, encode, name_of
from shared.events.orders import Encoded, order_on, stamp
from shared.events.work import BY_TRAFFIC, WorkOrder
from shared.events.work_facts import WorkStrayed

_SERVICE = f"{BY_TRAFFIC}service/"
ROUTE = f"{BY_TRAFFIC}route/"
FLEET = f"{BY_TRAFFIC}fleet"
"""The owner of what members get for the sake of no single service."""

_RESOURCES = {
    "ServiceImport": "serviceimports",
    "Service": "services",
    "EndpointSlice": "endpointslices",
    "CustomResourceDefinition": "customresourcedefinitions",
    "ClusterProperty": "clusterproperties",
    "HTTPRoute": "httproutes",
    "TCPRoute": "tcproutes",
    "UDPRoute": "udproutes",
}


@dataclass(frozen=True, slots=True)
class Unmade:
    """An order of which nothing but the digest is known: mostly the same lies there already."""

    digest: str
    make: Callable[[], Encoded]


Orders = Mapping[ObjectKey, Encoded | Unmade]


@dataclass(frozen=True, slots=True)
class Held:
    """What lies in WORK on one subject of traffic's, without the manifest."""

    sequence: int
    digest: str
    owner: str
    api_version: str
    kind: str
    deleted: bool
    preserve: bool = False
    source: str = ""
    """Of a slice: the member it came from."""
    strayed: bool = False
    """The member holds it, and nothing lies in WORK: it was away when that was taken back."""


def owner_of(name: ServiceName) -> str:
    """What orders for the imports of *name* come from, in place of a template's uid.

    Of a slice that goes on with its source, as `@eu-1`.
    """
    return f"{_SERVICE}{name}"


def service_of(owner: str) -> ServiceName | None:
    """Read it back; None where the owner is no service."""
    place = owner.removeprefix(_SERVICE)
    namespace, _, name = place.partition("/")
    return ServiceName(namespace, name) if place != owner and name else None


def held_of(order: WorkOrder, sequence: int) -> Held:
    owner, _, source = order.template_uid.partition("@")
    return Held(
        sequence=sequence,
        digest=order.digest,
        owner=owner,
        source=source,
        api_version=order.api_version,
        kind=order.kind,
        deleted=order.is_tombstone,
        preserve=order.preserve_on_deletion,
    )


def stray_of(fact: WorkStrayed) -> tuple[ObjectKey, Held] | None:
    """What a member holds for the sake of a service or of routes; None where it is anything else.

    What members get for no service in particular is theirs once they have it.
    """
    owner, _, source = fact.template_uid.partition("@")
    if not owner.startswith((_SERVICE, ROUTE)):
        return None
    group = GroupVersionKind.parse(fact.api_version, fact.kind).group
    return ObjectKey(group, fact.resource, fact.namespace, fact.name), Held(
        sequence=0,
        digest="",
        owner=owner,
        source=source,
        api_version=fact.api_version,
        kind=fact.kind,
        deleted=False,
        strayed=True,
    )


def digest_of(order: Encoded | Unmade) -> str:
    return order.digest if isinstance(order, Unmade) else order.order.digest


def make_order(
    manifest: Manifest,
    owner: str,
    *,
    preserve: bool = False,
    coined: bool = False,
    terms: OwnershipTerms | msgspec.UnsetType = msgspec.UNSET,
) -> tuple[ObjectKey, Encoded]:
    """The order to hold *manifest*; what the member had before under its name stays its own.

    *coined*: that can be nothing, for the name was made up with a digest. *terms*: what of it
    others in the member may change.
    """
    gvk = GroupVersionKind.of(manifest)
    namespace = str(manifest["metadata"].get("namespace") or "")
    key = ObjectKey(gvk.group, _RESOURCES[gvk.kind], namespace, name_of(manifest))
    return key, order_on(
        key,
        manifest=msgspec.Raw(encode(stamp(manifest, owner))),
        api_version=gvk.api_version,
        kind=gvk.kind,
        template_uid=owner,
        template_generation=0,
        preserve_on_deletion=preserve,
        terms=terms,
        ordered_by="traffic",
        coined=True if coined else msgspec.UNSET,
    )


def make_tombstone(key: ObjectKey, held: Held) -> Encoded:
    """The order to remove what *held* asked for."""
    return order_on(
        key,
        api_version=held.api_version,
        kind=held.kind,
        template_uid=f"{held.owner}@{held.source}" if held.source else held.owner,
        template_generation=0,
        preserve_on_deletion=held.preserve,
        ordered_by="traffic",
    )


@dataclass(frozen=True, slots=True)
class Plan:
    """What changes in WORK. `forget`: the member has left, and nobody is there to obey."""

    publish: Mapping[tuple[str, ObjectKey], Encoded]
    revoke: tuple[tuple[str, ObjectKey], ...]
    forget: tuple[tuple[str, ObjectKey], ...]

    @property
    def is_empty(self) -> bool:
        return not (self.publish or self.revoke or self.forget)


def diff(
    desired: Mapping[str, Orders],
    held: Mapping[tuple[str, ObjectKey], Held],
    *,
    fleet: Collection[str],
    undecided: Collection[str] = (),
) -> Plan:
    """Compare by digest. Of members in *undecided* too little is known to take anything back.

    They keep what they have, and all others keep what came from them.

    Publishing the plan and asking again gives an empty one.
    """
    publish = {
        (cluster, key): order.make() if isinstance(order, Unmade) else order
        for cluster, orders in desired.items()
        if cluster in fleet and cluster not in undecided
        for key, order in orders.items()
        if (one := held.get((cluster, key))) is None
        or one.deleted
        or one.digest != digest_of(order)
    }
    revoke = tuple(
        (cluster, key)
        for (cluster, key), one in sorted(held.items())
        if cluster in fleet
        and cluster not in undecided
        and not (one.source in undecided and one.source in fleet)
        and not one.deleted
        and key not in desired.get(cluster, {})
    )
    forget = tuple(place for place in sorted(held) if place[0] not in fleet)
    return Plan(publish, revoke, forget)
