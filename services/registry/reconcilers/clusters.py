"""Memberships: who a registered cluster is and what it serves; one that left is forgotten.

Leaving never blocks on the leaver: nothing here calls a member whose `Cluster` is gone.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

import msgspec
import structlog

from services.registry.core.inventory import Identity, enablements_of
from services.registry.core.lifecycle import Reason, State, next_state, state_of
from services.registry.core.registration import Member, Ruling, rule
from services.registry.settings import Settings
from shared.api.cluster import JOINED, Cluster, ClusterStatus
from shared.api.conditions import with_condition
from shared.api.meta import GROUP, Condition, read, section
from shared.apimachinery.manifest import GroupResource, GroupVersionKind, ObjectKey, uid_of
from shared.bus import topology
from shared.bus.port import Bus, CaughtUp, Message
from shared.clock import Clock, format_micro_time, format_time
from shared.controller.result import Again, Done, Result
from shared.errors import (
    InvalidObject,
    MemberRefused,
    MemberThrottled,
    MemberUnreachable,
    UnusableCredentials,
)
from shared.events import cluster as events
from shared.events import subjects
from shared.events.envelope import fact_envelope
from shared.events.work import decode_report
from shared.interpreter.versions import read_version
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.port import MemberApi, ResourceType
from shared.memberapi.sealing import EnvelopeKey, unseal
from shared.store.port import Change, ChangeType, ObjectStore, Scope, Stored

log = structlog.get_logger("hanse.registry")

Connect = Callable[[str, MemberCredentials], AbstractAsyncContextManager[MemberApi]]

SECRETS = "SECRETS"
CLUSTERS = Scope.of(GroupResource(GROUP, "clusters"))
_NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
_IDENTITY = "kube-system"
_DEFINITIONS = GroupResource("apiextensions.k8s.io", "customresourcedefinitions")


def cluster_key(name: str) -> ObjectKey:
    return ObjectKey(GROUP, "clusters", "", name)


def keys_of_change(change: Change) -> Iterable[str]:
    """Return the cluster to look at again; a status alone, ours or health's, is no reason."""
    before = change.previous.manifest.get("spec") if change.previous is not None else None
    if change.type is ChangeType.MODIFIED and before == change.stored.manifest.get("spec"):
        return ()
    return (change.stored.key.name,)


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a cluster could not be identified this time."""

    reason: Reason
    message: str


async def identify(member: MemberApi) -> Identity:
    """Ask *member* who it is and what it serves; raises as every member call."""
    version = read_version(await member.read("/version", deadline_seconds=5.0))
    namespace = await member.get(_NAMESPACES, "", _IDENTITY)
    return Identity(
        id=uid_of(namespace) if namespace is not None else "",
        version=version,
        enablements=enablements_of(await member.discover()),
    )


class ClusterReconciler:
    """Writes the registry's part of one `Cluster.status`."""

    def __init__(
        self,
        store: ObjectStore,
        bus: Bus,
        *,
        key: EnvelopeKey,
        connect: Connect,
        clock: Clock,
        settings: Settings,
        wake: Callable[[str], None],
    ) -> None:
        self._store = store
        self._bus = bus
        self._key = key
        self._connect = connect
        self._clock = clock
        self._settings = settings
        self._wake = wake
        self._known: dict[str, Cluster] = {}

    async def reconcile(self, key: str) -> Result:
        # Not from the mirror: credentials may be seen before the cluster they are for.
        stored = await self._store.get(cluster_key(key))
        if stored is None:
            await self._forget(key)
            return Done()
        cluster = read(stored.manifest, Cluster)
        self._known[key] = cluster
        found = await self._identify(key)
        if isinstance(found, _Failure):
            await self._note_failure(stored, cluster, found)
            return Again(self._settings.join_retry)
        ruling = rule(_member(cluster), found, self._fleet(), hub=await self._hub_id())
        await self._note(stored, cluster, found, ruling)
        return Again(self._settings.inventory_refresh)

    async def _hub_id(self) -> str:
        stored = await self._store.get(ObjectKey("", "namespaces", "", _IDENTITY))
        return uid_of(stored.manifest) if stored is not None else ""

    async def _identify(self, name: str) -> Identity | _Failure:
        sealed = await self._bus.board(SECRETS).get(subjects.member_key(name))
        if sealed is None:
            return _Failure(Reason.AWAITING_CREDENTIALS, "no credentials have been given yet")
        try:
            credentials = unseal(self._key, name, sealed)
            async with (
                asyncio.timeout(self._settings.identify_deadline.total_seconds()),
                self._connect(name, credentials) as member,
            ):
                return await identify(member)
        except UnusableCredentials as err:
            return _Failure(Reason.UNUSABLE_CREDENTIALS, str(err))
        except (MemberUnreachable, MemberThrottled) as err:
            return _Failure(Reason.UNREACHABLE, str(err))
        except TimeoutError:
            return _Failure(Reason.UNREACHABLE, "the member did not answer in time")
        except MemberRefused as err:
            refused = err.status in (401, 403)
            reason = Reason.CREDENTIALS_REFUSED if refused else Reason.NOT_UNDERSTOOD
            return _Failure(reason, str(err))

    async def _note_failure(self, stored: Stored, cluster: Cluster, failure: _Failure) -> None:
        """Say why a cluster has not joined yet; one that has stays what it is."""
        if state_of(cluster.status.conditions) is State.PENDING:
            joined = Condition(
                type=JOINED, status="False", reason=failure.reason, message=failure.message
            )
            await self._write(stored, cluster, cluster.status, joined)
        else:
            log.info("member.unidentified", cluster=stored.key.name, reason=failure.reason)

    async def _note(
        self, stored: Stored, cluster: Cluster, identity: Identity, ruling: Ruling
    ) -> None:
        before = state_of(cluster.status.conditions)
        after = next_state(before, ruling.trigger)
        joined = Condition(
            type=JOINED,
            status="True" if after is State.JOINED else "False",
            reason=ruling.reason,
            message=ruling.message,
        )
        status = cluster.status
        if after is State.JOINED:
            status = msgspec.structs.replace(
                status,
                id=identity.id,
                kubernetes_version=identity.version,
                api_enablements=identity.enablements,
            )
        await self._write(stored, cluster, status, joined)
        if after is not before:
            log.info("cluster.state", cluster=stored.key.name, before=before, after=after)
        if after is State.JOINED and before is not State.JOINED:
            for other in self._fleet():
                if other.id == identity.id and other.name != stored.key.name:
                    # Both were proved at the same time: the junior must be told.
                    self._wake(other.name)
            fact = events.ClusterJoined(
                cluster=stored.key.name,
                occurred_at=format_micro_time(self._clock.now()),
                region=cluster.spec.region,
                provider=cluster.spec.provider,
                id=identity.id,
                kubernetes_version=identity.version,
            )
            await self._publish(fact, f"{cluster.metadata.uid}/joined")

    async def _write(
        self, stored: Stored, cluster: Cluster, status: ClusterStatus, joined: Condition
    ) -> None:
        """Write id, version, kinds and condition; the rest of the status belongs to health."""
        now = format_time(self._clock.now())
        conditions = with_condition(cluster.status.conditions, joined, now=now)
        fields = {
            "id": status.id,
            "kubernetesVersion": status.kubernetes_version,
            "apiEnablements": section(status.api_enablements),
            "conditions": section(conditions),
        }
        present = stored.manifest.get("status") or {}
        changed = {**present, **{name: each for name, each in fields.items() if each}}
        if changed != present:
            await self._store.update(
                stored.key, {**stored.manifest, "status": changed}, expected=stored.revision
            )

    async def _forget(self, name: str) -> None:
        """Remove the credentials of a cluster that is gone, and tell."""
        board = self._bus.board(SECRETS)
        secret = subjects.member_key(name)
        held = await board.get(secret)
        last = self._known.get(name)
        if held is None and last is None:
            return
        # In this order: credentials of a new cluster of that name come after its `Cluster`.
        if await self._store.get(cluster_key(name)) is not None:
            self._wake(name)
            return
        if held is not None:
            await board.delete(secret)
        now = self._clock.now()
        fact = events.ClusterLeft(
            cluster=name,
            occurred_at=format_micro_time(now),
            region=last.spec.region if last is not None else "",
            provider=last.spec.provider if last is not None else "",
        )
        identity = last.metadata.uid if last is not None else f"{name}/{format_time(now)}"
        await self._publish(fact, f"{identity}/left")
        self._known.pop(name, None)
        log.info("cluster.left", cluster=name)
        # Its twin under another name may be a member now.
        for other in self._store.mirror.items(CLUSTERS):
            self._wake(other.key.name)

    async def _publish(self, fact: events.ClusterFact, identity: str) -> None:
        envelope = fact_envelope(
            events.fact_type(fact), service="registry", identity=identity, at=self._clock.now()
        )
        subject = subjects.fact("cluster", events.past_tense_of(fact), fact.cluster)
        await self._bus.publish(Message(subject, events.encode_event(fact), envelope.headers()))

    def _fleet(self) -> list[Member]:
        found = []
        for stored in self._store.mirror.items(CLUSTERS):
            try:
                found.append(_member(read(stored.manifest, Cluster)))
            except InvalidObject:
                continue
        return found


def _member(cluster: Cluster) -> Member:
    return Member(
        name=cluster.metadata.name,
        id=cluster.status.id,
        joined=state_of(cluster.status.conditions) is State.JOINED,
        created=cluster.metadata.creation_timestamp or "",
    )


class MembershipFollower:
    """Wakes clusters for what the store's watch cannot tell: credentials, and new kinds."""

    def __init__(
        self, bus: Bus, wake: Callable[[str], None], wake_soon: Callable[[str], None]
    ) -> None:
        self._bus = bus
        self._wake = wake
        self._wake_soon = wake_soon

    async def follow_credentials(self) -> None:
        async with self._bus.board(SECRETS).follow() as entries:
            async for entry in entries:
                if not isinstance(entry, CaughtUp):
                    self._wake(subjects.decode_token(entry.key))

    async def follow_definitions(self) -> None:
        """Wake a member once a CustomResourceDefinition it holds is served, or gone."""
        group, resource = map(subjects.encode_token, _DEFINITIONS)
        pattern = f"{subjects.STATUS}.*.{group}.{resource}.>"
        async with self._bus.follow(topology.STATUS, [pattern]) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp) or not message.body:
                    continue
                try:
                    cluster, _ = subjects.parse_member_subject(message.subject)
                    report = decode_report(message.body)
                except (ValueError, msgspec.DecodeError) as err:
                    log.warning("report.malformed", subject=message.subject, error=str(err))
                    continue
                if report.health == "Healthy" or not report.present:
                    self._wake_soon(cluster)
