"""What people and controllers do about services of many members, in a history with traffic."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from shared.apimachinery.manifest import Manifest, ObjectKey, copy
from shared.apiserver.requests.negotiation import APPLY_PATCH
from shared.apiserver.requests.target import DeleteOptions, WriteOptions
from shared.apiserver.verbs.delete import delete
from shared.apiserver.verbs.patch import patch
from shared.store.port import Change, ChangeType
from tests.simulation.calls import call_on
from tests.simulation.history import History
from tests.simulation.member import Member, attempt

SERVED = ("web", "api")
WHERE = "shop"
_GIVEN_SECONDS = (0.02, 3.0)
_USER = WriteOptions(field_manager="kubectl", force=True)
_API = "multicluster.x-k8s.io/v1beta1"

Deeds = list[tuple[int, Callable[[], Awaitable[None]]]]
Apply = Callable[[Manifest], Awaitable[None]]


def service(name: str) -> Manifest:
    port = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}
    return {**_named("v1", "Service", name), "spec": {"ports": [port]}}


def slice_of(name: str, number: int, addresses: Mapping[str, bool]) -> Manifest:
    """*addresses* with whether they are ready."""
    found = _named("discovery.k8s.io/v1", "EndpointSlice", f"{name}-{number}")
    found["metadata"]["labels"] = {"kubernetes.io/service-name": name}
    return {
        **found,
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {"addresses": [one], "conditions": {"ready": ready}} for one, ready in addresses.items()
        ],
    }


def export(name: str) -> Manifest:
    return _named(_API, "ServiceExport", name)


def traffic_policy(name: str, chance: random.Random, members: list[str]) -> Manifest:
    """Each way to share there is; nobody is left without any weight for good."""
    first = {"clusterNames": [chance.choice(members)]}
    spec: dict[str, Any] = {"service": name}
    match chance.randrange(6):
        case 0:
            spec["weights"] = [
                {"targetCluster": first, "weight": 3},
                {"targetCluster": {}, "weight": 1},
            ]
        case 1:
            spec["locality"] = {}
        case 2:
            spec["failover"] = {"order": [first], "returnAfter": "5s"}
        case 3:
            steps = [{"percentage": 20, "duration": "5s"}, {"percentage": 100}]
            spec["shift"] = {"to": first, "steps": steps}
        case 4:
            spec["routes"] = [{"targetCluster": first}]
    return {**_named("hanse.dev/v1alpha1", "TrafficPolicy", name), "spec": spec}


class TrafficDeeds:
    """`deeds` for `People`; *apply* and *remove* are what they do at the hub."""

    def __init__(
        self,
        members: Mapping[str, Member],
        chance: random.Random,
        history: History,
        *,
        apply: Apply,
        remove: Apply,
    ) -> None:
        self._members = members
        self._chance = chance
        self._history = history
        self._apply = apply
        self._remove = remove
        self.deeds: Deeds = [
            (14, self._change_endpoints),
            (3, self._export_in_member),
            (3, self._withdraw_in_member),
            (2, self._export_at_hub),
            (2, self._withdraw_at_hub),
            (2, self._remove_service),
            (5, self._share),
            (2, self._stop_sharing),
        ]

    async def found(self) -> None:
        """Begin: what every member has the namespace for, and one service that all export."""
        for number, name in enumerate(sorted(self._members), start=1):
            member = self._members[name]
            member.store.mirror.on_change(lambda change, at=member: self._give_address(at, change))
            namespace: Manifest = {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": WHERE},
            }
            await attempt(self._put(member, namespace))
            await self._put(member, service("web"))
            await self._put(member, slice_of("web", 1, {f"10.{number}.0.1": True}))

    def _give_address(self, member: Member, change: Change) -> None:
        """The member's own allocator: an address for each derived Service, a while later."""
        key = change.stored.key
        derived = key.resource == "services" and key.name.startswith("derived-")
        if not derived or change.type is ChangeType.DELETED:
            return
        if not change.stored.manifest["spec"].get("clusterIP"):
            delay = self._chance.uniform(*_GIVEN_SECONDS)
            asyncio.get_running_loop().call_later(delay, self._give, member, key)

    def _give(self, member: Member, key: ObjectKey) -> None:
        stored = member.store.mirror.get(key)
        if stored is None or stored.manifest["spec"].get("clusterIP"):
            return
        manifest = copy(stored.manifest)
        manifest["spec"] |= {"clusterIP": "10.96.0.9", "clusterIPs": ["10.96.0.9"]}
        write = member.store.update(key, manifest, expected=stored.revision)
        with suppress(StopIteration):
            write.send(None)

    # In a member.

    def _member(self) -> Member:
        return self._members[self._chance.choice(sorted(self._members))]

    async def _change_endpoints(self) -> None:
        chance, member, name = self._chance, self._member(), self._chance.choice(SERVED)
        number = chance.randrange(1, 3)
        if chance.random() < 0.15:
            self._history.note(f"slice {name}-{number} goes in {member.name}")
            await self._take(member, slice_of(name, number, {}))
            return
        place = int(member.name.removeprefix("m"))
        addresses = {
            f"10.{place}.{number}.{host}": chance.random() < 0.8
            for host in range(chance.randrange(4))
        }
        self._history.note(f"slice {name}-{number} in {member.name}: {addresses}")
        await self._put(member, service(name))
        await self._put(member, slice_of(name, number, addresses))

    async def _remove_service(self) -> None:
        member, name = self._member(), self._chance.choice(SERVED)
        self._history.note(f"service {name} goes in {member.name}")
        await self._take(member, service(name))

    async def _export_in_member(self) -> None:
        member, name = self._member(), self._chance.choice(SERVED)
        self._history.note(f"{member.name} exports {name}")
        await self._put(member, export(name))

    async def _withdraw_in_member(self) -> None:
        member, name = self._member(), self._chance.choice(SERVED)
        self._history.note(f"{member.name} no longer exports {name}")
        await self._take(member, export(name))

    async def _put(self, member: Member, manifest: Manifest) -> None:
        call = call_on(member.serving, manifest, _USER)
        await patch(member.serving, call, manifest, APPLY_PATCH)

    async def _take(self, member: Member, manifest: Manifest) -> None:
        call = call_on(member.serving, manifest, WriteOptions())
        await delete(member.serving, call, DeleteOptions(propagation="Background"))

    # At the hub.

    async def _export_at_hub(self) -> None:
        await self._apply(export(self._chance.choice(SERVED)))

    async def _withdraw_at_hub(self) -> None:
        await self._remove(export(self._chance.choice(SERVED)))

    async def _share(self) -> None:
        name = self._chance.choice(SERVED)
        await self._apply(traffic_policy(name, self._chance, sorted(self._members)))

    async def _stop_sharing(self) -> None:
        name = self._chance.choice(SERVED)
        await self._remove(traffic_policy(name, self._chance, sorted(self._members)))


def _named(api_version: str, kind: str, name: str) -> Manifest:
    metadata = {"name": name, "namespace": WHERE}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
