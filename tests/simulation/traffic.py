"""What must hold of services of many members: imports equal exports, and shares go to the living.

What is expected is worked out from what members hold and from the hub's store.
"""

import asyncio
from collections.abc import Iterable, Iterator

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.imports import slice_name
from services.traffic.core.orders import service_of
from services.traffic.core.routes import policy_of
from shared.api.cluster import UNREACHABLE_TAINT, Cluster
from shared.api.meta import GROUP, read
from shared.api.multicluster import (
    SERVICE_NAME_LABEL,
    SOURCE_CLUSTER_LABEL,
    export_key,
    import_key,
)
from shared.api.traffic_policy import TRAFFIC_POLICIES, WHOLE, TrafficPolicy
from shared.apimachinery.manifest import Manifest, ObjectKey, labels_of
from shared.bus.memory import MemoryBus
from shared.bus.port import Message
from shared.bus.topology import WORK
from shared.events import subjects
from shared.events.work import decode_order, is_end
from shared.store.port import Change, Scope, Stored
from tests.simulation.evidence import Tap
from tests.simulation.history import EVERYWHERE, History
from tests.simulation.invariants import Watcher
from tests.simulation.objects import Bucket
from tests.simulation.traffic_deeds import SERVED, WHERE

WITHDRAWS_BY_WORD = "t1 nothing is withdrawn but by a word"
LEADS_TO_THE_LIVING = "t2 no share to who is given up"

KNOWN_SECONDS = 45.0
"""Longer than any word is on its way, and any process cut off."""
PROMPT_SECONDS = 12.0
_SLICES = Scope("discovery.k8s.io", "endpointslices", WHERE)
_CLUSTERS = Scope(GROUP, "clusters")
_POLICIES = Scope(GROUP, TRAFFIC_POLICIES)

Endpoints = dict[str, set[str]]
"""Addresses by the member that they are in."""


class TrafficWatcher:
    """Follows members, WORK and the hub's store; `unfinished` says what the end still lacks."""

    def __init__(
        self,
        history: History,
        bucket: Bucket,
        streams: MemoryBus,
        watcher: Watcher,
    ) -> None:
        self._history = history
        self._hub = bucket.store.mirror
        self._work = streams._log(WORK)
        self._members = members = watcher.members
        self._disturbed = watcher.disturbed
        self._left_behind = watcher.left_behind
        # Since when each slice has been exported without a break, by the name of its copies.
        self._since: dict[str, float] = {}
        # Since when each member could have had copies without a break.
        self._able: dict[str, float] = {}
        for member in members.values():
            member.store.mirror.on_change(self._look)
        self._hub.on_change(self._look)
        self._hub.on_change(self._on_cluster)
        self._work._followers[Tap(self._on_order)] = None  # type: ignore[index]

    # While it happens.

    def _look(self, change: Change) -> None:
        if change.stored.key.resource not in (
            "services",
            "endpointslices",
            "serviceexports",
            "namespaces",
            "clusters",
        ):
            return
        now = asyncio.get_running_loop().time()
        exported = {
            slice_name(ServiceName(WHERE, name), member, stored.key.name)
            for name in SERVED
            for member in self._exporters(name)
            if not self._is_given_up(member)
            for stored in self._slices(member, name)
            if stored.manifest.get("endpoints")
        }
        self._since = {one: self._since.get(one, now) for one in sorted(exported)}
        able = [one for one in self._fleet() if self._has_namespace(one)]
        self._able = {one: self._able.get(one, now) for one in able}

    def _on_order(self, message: Message) -> None:
        if is_end(message.headers):
            return
        order = decode_order(message.body)
        cluster, key = subjects.parse_member_subject(message.subject)
        if order.is_dispatched or not order.is_tombstone or key.resource != "endpointslices":
            return
        now = asyncio.get_running_loop().time()
        since = max(self._since.get(key.name, now), self._able.get(cluster, now))
        if service_of(order.template_uid.partition("@")[0]) and now - since > KNOWN_SECONDS:
            self._history.violated(
                WITHDRAWS_BY_WORD,
                f"slice {key.name} is to go in {cluster}, though exported since {since:.1f}",
            )

    def _on_cluster(self, change: Change) -> None:
        """A verdict: look a while later whether anybody is still led there."""
        key = change.stored.key
        if _CLUSTERS.covers(key) and _is_given_up(change.stored.manifest):
            loop = asyncio.get_running_loop()
            loop.call_later(PROMPT_SECONDS, self._check_shares, key, loop.time())

    def _check_shares(self, key: ObjectKey, judged: float) -> None:
        stored = self._hub.get(key)
        if stored is None or not _is_given_up(stored.manifest):
            return
        if self._disturbed(EVERYWHERE) >= judged - PROMPT_SECONDS:
            return
        for policy in self._policies():
            for split in policy.status.splits:
                for share in split.clusters:
                    if share.name == key.name and share.share:
                        self._history.violated(
                            LEADS_TO_THE_LIVING,
                            f"{key.name} has {share.share} of {policy.metadata.name}, and was "
                            f"given up at {judged:.1f}",
                        )

    # At the end.

    def unfinished(self) -> Iterable[str]:
        for name in SERVED:
            exported = {one: self._endpoints(one, name) for one in self._exporters(name)}
            yield from self._unimported(name, exported)
            yield from self._unshared(name, exported)
        policies = {(one.metadata.namespace, one.metadata.name) for one in self._policies()}
        for message in self._work.all(()):
            if is_end(message.headers):
                continue
            owner = decode_order(message.body).template_uid.partition("@")[0]
            place = policy_of(owner)
            if place is not None and place not in policies:
                yield f"an order for the routes of {place[1]} is left over"

    def _unimported(self, name: str, exported: Endpoints) -> Iterable[str]:
        key = import_key(WHERE, name)
        if (self._hub.get(key) is not None) != bool(exported):
            yield f"the hub's import of {name} does not say that {sorted(exported)} export it"
        for member in self._fleet():
            if not self._has_namespace(member):
                continue
            there = self._members[member].store.mirror
            known = there.get(key) is not None and not self._is_left(member, key)
            if known != bool(exported):
                yield f"{member} does not know that {sorted(exported)} export {name}"
            imported: Endpoints = {}
            for stored in there.items(_SLICES):
                labels = labels_of(stored.manifest)
                if labels.get(SERVICE_NAME_LABEL) == name and not self._is_left(member, stored.key):
                    source = imported.setdefault(labels[SOURCE_CLUSTER_LABEL], set())
                    source |= _addresses(stored.manifest)
            expected = {one: found for one, found in exported.items() if found}
            found = {one: some for one, some in imported.items() if some}
            if found != expected:
                yield f"{member} imports {found} of {name}, and {expected} is exported"

    def _unshared(self, name: str, exported: Endpoints) -> Iterable[str]:
        ready = {one for one in exported if self._endpoints(one, name, ready=True)}
        for policy in self._policies():
            if policy.spec.service != name:
                continue
            if not policy.status.splits and exported:
                yield f"nobody has decided on policy {name}"
            for split in policy.status.splits:
                shares = {one.name: one.share for one in split.clusters if one.share}
                if not shares.keys() <= ready or sum(shares.values()) != (WHOLE if ready else 0):
                    yield f"{name} is shared among {shares}, and {sorted(ready)} are ready"

    def _is_left(self, member: str, key: ObjectKey) -> bool:
        """Whether it left with that, and nobody has ordered it since: the member is told of it."""
        if key not in self._left_behind.get(member, ()):
            return False
        last = self._work.last(subjects.work(member, key))
        return last is None or is_end(last.headers)

    # Looking.

    def _fleet(self) -> list[str]:
        return sorted(one.key.name for one in self._hub.items(_CLUSTERS))

    def _is_given_up(self, member: str) -> bool:
        stored = self._hub.get(ObjectKey(GROUP, "clusters", "", member))
        return stored is not None and _is_given_up(stored.manifest)

    def _policies(self) -> list[TrafficPolicy]:
        return [read(one.manifest, TrafficPolicy) for one in self._hub.items(_POLICIES)]

    def _has_namespace(self, member: str) -> bool:
        stored = self._members[member].store.mirror.get(ObjectKey("", "namespaces", "", WHERE))
        return stored is not None and not _is_leaving(stored.manifest)

    def _exporters(self, name: str) -> list[str]:
        """Members of the fleet that have the Service, and an export of their own or the hub's."""
        key = export_key(WHERE, name)
        at_hub = self._hub.get(key)
        everywhere = at_hub is not None and not _is_leaving(at_hub.manifest)
        found = []
        for member in self._fleet():
            there = self._members[member].store.mirror
            own = there.get(key)
            exports = everywhere or (own is not None and not _is_leaving(own.manifest))
            if exports and there.get(ObjectKey("", "services", WHERE, name)) is not None:
                found.append(member)
        return found

    def _slices(self, member: str, name: str) -> Iterator[Stored]:
        for stored in self._members[member].store.mirror.items(_SLICES):
            if labels_of(stored.manifest).get("kubernetes.io/service-name") == name:
                yield stored

    def _endpoints(self, member: str, name: str, *, ready: bool = False) -> set[str]:
        found: set[str] = set()
        for stored in self._slices(member, name):
            found |= _addresses(stored.manifest, ready=ready)
        return found


def _addresses(slice_: Manifest, *, ready: bool = False) -> set[str]:
    return {
        address
        for one in slice_.get("endpoints") or ()
        if not ready or one["conditions"].get("ready")
        for address in one["addresses"]
    }


def _is_given_up(cluster: Manifest) -> bool:
    taints = read(cluster, Cluster).status.taints
    return any(one.key == UNREACHABLE_TAINT for one in taints)


def _is_leaving(manifest: Manifest) -> bool:
    return bool(manifest["metadata"].get("deletionTimestamp"))
