"""Which orders give members the imports of a service (pure).

A member gets all of them where it has the namespace, and none where it does not. The endpoints of a
lost member are taken out of all others; in that member itself they stay, for its own clients.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from services.traffic.core.folding import Folded, Place
from services.traffic.core.imports import derived_service, endpoint_slice, service_import
from services.traffic.core.orders import Orders, Unmade, digest_of, make_order, owner_of
from shared.apimachinery.manifest import ObjectKey
from shared.events.exports import SliceReport
from shared.events.orders import Encoded

NOBODY: Mapping[str, Place] = MappingProxyType({})
_PLACE = Place()


def import_orders(
    folded: Folded,
    members: Collection[str],
    awaited: Collection[str] = (),
    fleet: Mapping[str, Place] = NOBODY,
    memory: "SliceMemory | None" = None,
) -> dict[str, Orders]:
    """By member, every object that it is to hold. *members* have the namespace.

    Those *awaited* are about to give the service an address, and get its import then. The *fleet*
    knows in which version members write imports. *memory* is that of the service: with it only
    slices that changed are made.
    """
    service = folded.service
    if service is None:
        return {}
    owner = owner_of(folded.name)
    derived = dict([make_order(derived_service(service), owner, coined=True)])
    slices = _SliceOrders(folded, owner, SliceMemory() if memory is None else memory)
    found: dict[str, Orders] = {}
    for member in members:
        ips = service.ips_by_cluster.get(member, ()) if service.type == "ClusterSetIP" else ()
        own: dict[ObjectKey, Encoded] = {}
        if member not in awaited:
            api = fleet.get(member, _PLACE).services_api
            own = dict([make_order(service_import(service, ips, api), owner)])
        found[member] = {**own, **derived, **dict(slices.of(member))}
    slices.remember()
    return found


_SlicePlace = tuple[str, str, bool]
"""The cluster that a slice is of, its name there, and whether it is for that member itself."""


@dataclass(slots=True)
class SliceMemory:
    """Which orders came of the slices of one service when they were made last."""

    about: tuple[object, ...] = ()
    made: Mapping[_SlicePlace, tuple[SliceReport, ObjectKey, str]] = field(default_factory=dict)


class _SliceOrders:
    """Each slice is made once for its own member, and once for all others."""

    def __init__(self, folded: Folded, owner: str, memory: SliceMemory) -> None:
        assert folded.service is not None
        self._service = service = folded.service
        self._folded = folded
        self._owner = owner
        self._memory = memory
        # All that a slice's copy rests on beside the slice.
        zones = {name: one.zone for name, one in service.exporters.items()}
        self._about = (service.type, service.traffic_distribution, zones)
        self._known = memory.made if memory.about == self._about else {}
        self._made: dict[_SlicePlace, tuple[ObjectKey, Encoded | Unmade]] = {}

    def of(self, member: str) -> Iterator[tuple[ObjectKey, Encoded | Unmade]]:
        for cluster, slices in self._folded.slices.items():
            at_home = cluster == member
            if not at_home and not self._service.exporters[cluster].reachable:
                continue
            for source in slices:
                place = (cluster, source.name, at_home)
                found = self._made.get(place)
                if found is None:
                    found = self._made[place] = self._find(source, place)
                yield found

    def remember(self) -> None:
        sources = {
            (cluster, one.name): one for cluster, own in self._folded.slices.items() for one in own
        }
        self._memory.about = self._about
        self._memory.made = {
            place: (sources[place[:2]], key, digest_of(order))
            for place, (key, order) in self._made.items()
        }

    def _find(self, source: SliceReport, place: _SlicePlace) -> tuple[ObjectKey, Encoded | Unmade]:
        known = self._known.get(place)
        if known is not None and known[0] is source:
            return known[1], Unmade(known[2], lambda: self._make(source, place)[1])
        return self._make(source, place)

    def _make(self, source: SliceReport, place: _SlicePlace) -> tuple[ObjectKey, Encoded]:
        cluster, _, at_home = place
        made = endpoint_slice(self._service, cluster, source, at_home=at_home)
        return make_order(made, f"{self._owner}@{cluster}", coined=True)
