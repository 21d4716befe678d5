"""What people do in the history of a seed: users at the hub, and somebody at the members."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from shared.api.meta import GROUP, read, section
from shared.api.rollout import Approval, ResourceRollout
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.apiserver.requests.negotiation import APPLY_PATCH, MERGE_PATCH
from shared.apiserver.requests.target import DeleteOptions, WriteOptions
from shared.apiserver.status_errors import ApiFault
from shared.apiserver.verbs.create import create
from shared.apiserver.verbs.delete import delete
from shared.apiserver.verbs.patch import patch
from shared.apiserver.verbs.scale import write_scale
from shared.errors import HanseError
from shared.events import subjects
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.sealing import seal
from shared.store.port import Scope
from tests.simulation import manifests
from tests.simulation.calls import call_on
from tests.simulation.history import History, actor
from tests.simulation.hub import SEALING, Gateway, Hub
from tests.simulation.member import Member
from tests.simulation.traffic_deeds import TrafficDeeds, export

NAMESPACES = ("shop", "blog")
_KUBECTL = WriteOptions(field_manager="kubectl", force=True)
_EDITOR = WriteOptions(field_manager="kubectl-edit")
_AUTOSCALER = WriteOptions(field_manager="kube-controller-manager")


class People:
    """`act` does one thing by chance; whatever is refused is refused."""

    def __init__(
        self,
        hub: Hub,
        members: dict[str, Member],
        chance: random.Random,
        history: History,
        *,
        traffic: bool = False,
        replacing: bool = False,
    ) -> None:
        self._hub = hub
        self._members = members
        self._chance = chance
        self._history = history
        self._revision = 0
        self._joined: set[str] = set()
        self._pulled = {one.beside for one in hub.processes.values() if one.beside}
        self._deeds: list[tuple[int, Callable[[], Awaitable[None]]]] = [
            (10, self._apply_deployment),
            (8, self._apply_config),
            (5, self._scale),
            (6, self._delete),
            (3, self._apply_policy),
            (1, self._delete_policy),
            (2, self._apply_override),
            (1, self._delete_override),
            (2, self._apply_widget),
            (1, self._delete_widgets),
            (1, self._delete_namespace),
            (2, self._create_namespace),
            (1, self._leave),
            (2, self._rejoin),
            (8, self._tamper),
            (1, self._autoscale),
            (2, self._make_foreign),
            (2, self._direct_rollout),
        ]
        if self._pulled:
            self._deeds += [(5, self._apply_fenced), (4, self._apply_fenced_policy)]
        if replacing:
            self._deeds.append((12, self._replace))
        self._traffic: TrafficDeeds | None = None
        if traffic:
            self._traffic = TrafficDeeds(
                members, chance, history, apply=self._apply, remove=self._delete_at
            )
            self._deeds += self._traffic.deeds

    async def found(self) -> None:
        """Begin: members, a namespace, and rules for what is in it."""
        for name in self._members:
            await self.join(name)
        for namespace in NAMESPACES:
            await self._insist(manifests.namespace(namespace))
        for policy in manifests.first_policies(self._chance):
            await self._insist(policy)
        if self._pulled:
            await self._insist(manifests.fenced_policy(self._chance, ()))
            await self._insist(self._fenced())
        if self._traffic is not None:
            await self._traffic.found()
            await self._insist(export("web"))

    async def act(self) -> None:
        deed = self._pick()
        token = actor.set("people")
        try:
            await deed()
        except (ApiFault, HanseError) as err:
            self._history.note(f"refused: {str(err)[:100]}")
        finally:
            actor.reset(token)

    def _pick(self) -> Callable[[], Awaitable[None]]:
        deeds = [deed for _, deed in self._deeds]
        return self._chance.choices(deeds, [weight for weight, _ in self._deeds])[0]

    # At the hub.

    def _gateway(self) -> Gateway:
        """One of those that live: whoever stands before them knows which do."""
        found = sorted(self._hub.gateways.items())
        if not found:
            raise ApiFault(503, "no gateway is there")
        return self._chance.choice(found)[1]

    async def _request(self, gateway: Gateway, work: Coroutine[Any, Any, Any]) -> None:
        """Await *work* of the gateway, which may die over it."""
        task = asyncio.ensure_future(work)
        gateway.life.at_death(task.cancel)
        try:
            await task
        except asyncio.CancelledError:
            if gateway.life.dead:
                raise ApiFault(503, "the gateway went away") from None
            raise

    async def _insist(self, manifest: Manifest) -> None:
        """Apply until it is confirmed."""
        while True:
            try:
                await self._apply(manifest)
            except (ApiFault, HanseError):
                await asyncio.sleep(0.5)
            else:
                return

    async def _apply(self, manifest: Manifest) -> None:
        gateway = self._gateway()
        call = call_on(gateway.serving, manifest, _KUBECTL)
        await self._request(gateway, patch(gateway.serving, call, manifest, APPLY_PATCH))

    async def _delete_at(self, manifest: Manifest) -> None:
        gateway = self._gateway()
        self._history.note(f"delete {manifest['kind']} {manifest['metadata']['name']}")
        ways = ("Background", "Foreground", "Orphan")
        options = DeleteOptions(propagation=self._chance.choices(ways, (6, 2, 1))[0])
        call = call_on(gateway.serving, manifest)
        await self._request(gateway, delete(gateway.serving, call, options))

    def _namespace(self) -> str:
        return self._chance.choices(NAMESPACES, (3, 1))[0]

    async def _apply_deployment(self) -> None:
        chance = self._chance
        self._revision += 1
        await self._apply(
            manifests.deployment(
                chance.choice(manifests.WORKLOADS),
                self._namespace(),
                replicas=chance.randrange(7),
                division=chance.choice(("weight", "room", "copies")),
                revision=self._revision,
            )
        )

    def _fenced(self) -> Manifest:
        self._revision += 1
        replicas = self._chance.choice((0, 1, 2, 3))
        found = manifests.deployment(
            manifests.FENCED, "shop", replicas=replicas, division="fenced", revision=self._revision
        )
        pods = found["spec"]["template"]["spec"]
        pods["terminationGracePeriodSeconds"] = manifests.FENCED_GRACE_SECONDS
        return found

    async def _apply_fenced(self) -> None:
        await self._apply(self._fenced())

    async def _apply_fenced_policy(self) -> None:
        await self._apply(manifests.fenced_policy(self._chance, list(self._members)))

    async def _apply_config(self) -> None:
        self._revision += 1
        name = self._chance.choice(manifests.CONFIGS)
        await self._apply(manifests.config(name, self._namespace(), self._revision))

    async def _scale(self) -> None:
        gateway = self._gateway()
        manifest = manifests.deployment(self._chance.choice(manifests.WORKLOADS), self._namespace())
        call = call_on(gateway.serving, manifest, _KUBECTL, "scale")
        replicas = self._chance.randrange(9)
        changed = write_scale(
            gateway.serving, call, lambda scale: {**scale, "spec": {"replicas": replicas}}
        )
        await self._request(gateway, changed)

    async def _delete(self) -> None:
        chance, namespace = self._chance, self._namespace()
        if chance.random() < 0.5:
            await self._delete_at(
                manifests.deployment(chance.choice(manifests.WORKLOADS), namespace)
            )
        else:
            await self._delete_at(manifests.config(chance.choice(manifests.CONFIGS), namespace, 0))

    async def _apply_policy(self) -> None:
        await self._apply(manifests.policy(self._chance, self._namespace(), list(self._members)))

    async def _replace(self) -> None:
        """As `kubectl replace --force`, with a field that nobody can change."""
        self._revision += 1
        name, namespace = self._chance.choice(manifests.WORKLOADS), self._namespace()
        made = manifests.deployment(
            name,
            namespace,
            replicas=self._chance.randrange(7),
            division=self._chance.choice(("weight", "room", "copies")),
            revision=self._revision,
        )
        spec = made["spec"]
        labels = {"app": name, "made": str(self._revision % 3)}
        spec["selector"] = {"matchLabels": labels}
        spec["template"]["metadata"] = {"labels": labels}
        await self._delete_at(made)
        await self._apply(made)

    async def _delete_policy(self) -> None:
        await self._delete_at(
            manifests.policy(self._chance, self._namespace(), list(self._members))
        )

    async def _apply_override(self) -> None:
        await self._apply(manifests.override(self._chance, self._namespace(), list(self._members)))

    async def _delete_override(self) -> None:
        await self._delete_at(
            manifests.override(self._chance, self._namespace(), list(self._members))
        )

    async def _apply_widget(self) -> None:
        self._revision += 1
        if self._chance.random() < 0.4:
            await self._apply(manifests.definition())
        await self._apply(manifests.widget("w", self._namespace(), self._revision))

    async def _delete_widgets(self) -> None:
        await self._delete_at(manifests.definition())

    async def _create_namespace(self) -> None:
        await self._apply(manifests.namespace(self._namespace()))

    async def _delete_namespace(self) -> None:
        await self._delete_at(manifests.namespace(NAMESPACES[1]))

    # Rollouts.

    async def _direct_rollout(self) -> None:
        """Hold one up, let it go on, or say yes to what it asks."""
        gateway = self._gateway()
        found = _rollouts(gateway)
        if not found:
            return
        one = self._chance.choice(found)
        if one.status.phase == "WaitingForApproval" and self._chance.random() < 0.5:
            await self._approve(gateway, one)
        else:
            await self._say(gateway, one, {"paused": not one.spec.paused})

    async def release_rollouts(self) -> None:
        """Let all go on: what waits for somebody would wait for ever."""
        token = actor.set("people")
        try:
            gateway = self._gateway()
            for one in _rollouts(gateway):
                if one.spec.paused:
                    await self._say(gateway, one, {"paused": False})
                elif one.status.phase == "WaitingForApproval":
                    await self._approve(gateway, one)
        except (ApiFault, HanseError) as err:
            self._history.note(f"refused: {str(err)[:100]}")
        finally:
            actor.reset(token)

    async def _approve(self, gateway: Gateway, rollout: ResourceRollout) -> None:
        status = rollout.status
        approval = Approval(revision=status.target_revision, stage=status.stage)
        approvals = section((*rollout.spec.approvals, approval))
        await self._say(gateway, rollout, {"approvals": approvals})

    async def _say(self, gateway: Gateway, rollout: ResourceRollout, spec: Manifest) -> None:
        metadata = rollout.metadata
        self._history.note(f"tells rollout {metadata.name}: {spec}")
        manifest = manifests.rollout(metadata.name, metadata.namespace)
        call = call_on(gateway.serving, manifest, _EDITOR)
        await self._request(gateway, patch(gateway.serving, call, {"spec": spec}, MERGE_PATCH))

    # Members come and go.

    async def join(self, name: str) -> None:
        """Until it is confirmed."""
        member = self._members[name]
        mode = "Pull" if name in self._pulled else "Push"
        await self._insist(manifests.cluster(name, member.region, mode))
        credentials = MemberCredentials(server=f"https://{name}", token="t")
        sealed = seal(SEALING, name, credentials)
        while True:
            try:
                gateway = self._gateway()
                board = gateway.bus.board("SECRETS")
                await self._request(gateway, board.put(subjects.member_key(name), sealed))
                break
            except (ApiFault, HanseError):
                await asyncio.sleep(0.5)
        self._joined.add(name)

    async def _leave(self) -> None:
        if len(self._joined) > 1:
            name = self._chance.choice(sorted(self._joined))
            await self._delete_at(manifests.cluster(name, ""))
            self._joined.discard(name)

    async def _rejoin(self) -> None:
        missing = sorted(self._members.keys() - self._joined)
        if missing:
            await self.join(missing[0])

    # In a member.

    def _victim(self) -> tuple[Member, ObjectKey, Manifest] | None:
        """Something that Hanse holds somewhere."""
        member = self._members[self._chance.choice(sorted(self._members))]
        held = [
            stored
            for stored in member.store.mirror.items()
            if stored.key.resource in ("deployments", "configmaps", "widgets")
            # Who scales up what Hanse has stopped makes it run twice.
            and stored.key.name != manifests.FENCED
        ]
        if not held:
            return None
        stored = self._chance.choice(sorted(held, key=lambda one: str(one.key)))
        return member, stored.key, stored.manifest

    async def _tamper(self) -> None:
        found = self._victim()
        if found is None:
            return
        member, key, manifest = found
        chance = self._chance
        call = call_on(member.serving, manifest, _EDITOR)
        if chance.random() < 0.25:
            self._history.note(f"somebody deletes {key.name} in {member.name}")
            await delete(member.serving, call, DeleteOptions(propagation="Background"))
            return
        changes: list[Any] = [
            {"metadata": {"labels": {"hanse.dev/managed": None}}},
            {"metadata": {"annotations": {"hanse.dev/work-generation": None}}},
            {"metadata": {"annotations": {"hanse.dev/work-generation": "999999"}}},
            {"metadata": {"labels": {"edited": "yes"}}},
        ]
        if key.resource == "configmaps":
            changes += [{"data": {"revision": "edited"}}, {"data": None}] * 2
        if key.resource == "deployments":
            changes += [{"spec": {"replicas": chance.randrange(12)}}] * 3
        change = chance.choice(changes)
        self._history.note(f"somebody edits {key.resource} {key.name} in {member.name}: {change}")
        await patch(member.serving, call, change, MERGE_PATCH)

    async def _autoscale(self) -> None:
        found = self._victim()
        if found is None or found[1].resource != "deployments":
            return
        member, key, manifest = found
        scaler = manifests.autoscaler(key.name, key.namespace)
        self._history.note(f"an autoscaler takes {key.name} in {member.name}")
        await patch(member.serving, call_on(member.serving, scaler, _KUBECTL), scaler, APPLY_PATCH)
        call = call_on(member.serving, manifest, _AUTOSCALER, "scale")
        replicas = self._chance.randrange(1, 10)
        await write_scale(
            member.serving, call, lambda scale: {**scale, "spec": {"replicas": replicas}}
        )

    async def _make_foreign(self) -> None:
        """Something of the member's own that bears a name the hub may want to use."""
        member = self._members[self._chance.choice(sorted(self._members))]
        name = self._chance.choice(manifests.CONFIGS)
        foreign = manifests.config(name, self._namespace(), 0)
        serving = member.serving
        self._history.note(f"somebody makes {name} in {member.name}")
        await create(serving, call_on(serving, foreign, _EDITOR), foreign)


def _rollouts(gateway: Gateway) -> list[ResourceRollout]:
    stored = gateway.serving.store.mirror.items(Scope(GROUP, "resourcerollouts"))
    return [
        read(one.manifest, ResourceRollout)
        for one in sorted(stored, key=lambda one: (one.key.namespace, one.key.name))
    ]
