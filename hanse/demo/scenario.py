"""The steps of the demo: apply, show, lose a member, get it back, delete; a check after each.

A check asks the members themselves. It holds or the demo fails; the time it took is the figure.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import yaml

from hanse.demo import holdings
from hanse.demo.screen import Screen
from hanse.local.federation import Federation
from shared.api.cluster import READY, Cluster
from shared.api.meta import API_VERSION, read
from shared.apimachinery.manifest import GroupVersionKind, Manifest, name_of, namespace_of
from shared.errors import RetryableError
from shared.memberapi.port import MemberApi

STEP_DEADLINE_SECONDS = 45.0
POLL_SECONDS = 0.25
LOST_MEMBER = "eu-1"
# What the weights 2 : 1 : 1 make of the eight replicas of web.
SHARES = {"eu-1": 4, "us-1": 2, "ap-1": 2}
_CLUSTER = GroupVersionKind.parse(API_VERSION, "Cluster")
_DEPLOYMENT = GroupVersionKind("apps", "v1", "Deployment")


class Report(msgspec.Struct, kw_only=True):
    """What `hanse demo --json` prints. Times are seconds."""

    applied_seconds: float = 0.0
    failover_seconds: float = 0.0
    failback_seconds: float = 0.0
    objects: int = 0
    members: int = 0
    lost: int = 0
    orphans: int = 0
    checks: dict[str, bool] = {}

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(self.checks.values())


Check = Callable[[], Awaitable[list[str]]]


@dataclass(slots=True)
class Demo:
    """Runs the steps on a federation that is up."""

    federation: Federation
    screen: Screen
    examples: Path
    report: Report = field(default_factory=Report)

    async def run(self) -> Report:
        members = self.federation.members
        self.report.members = len(members)
        await self._members_are_ready(members)
        await self._apply(members)
        await self._lose_and_return(members)
        await self._delete(members)
        return self.report

    async def _members_are_ready(self, members: Mapping[str, MemberApi]) -> None:
        self.screen.step(f"{len(members)} members join: " + ", ".join(members))
        await self._until("every member is ready", self._not_ready)

    async def _apply(self, members: Mapping[str, MemberApi]) -> None:
        manifests = load(self.examples / "shop.yaml") + load(self.examples / "policies.yaml")
        self.screen.step(f"apply {len(manifests)} manifests: a shop and its policies")
        for manifest in manifests:
            await self.federation.hub.apply(manifest)

        async def shop_runs() -> list[str]:
            comparison = await holdings.compare(self.federation.hub, members)
            self.report.objects = comparison.objects
            return (
                comparison.problems() + await self._shares(SHARES) + await self._overridden(members)
            )

        self.report.applied_seconds = await self._until(
            "every member holds exactly what was decided, and web runs 8 pods as 4 + 2 + 2",
            shop_runs,
        )
        self.screen.who_runs_what(list(members), await holdings.read_fleet(members))
        await self._until("kubectl would see the sum", self._status_is_summed)

    async def _lose_and_return(self, members: Mapping[str, MemberApi]) -> None:
        self.screen.step(f"kill {LOST_MEMBER}")
        self.federation.lose(LOST_MEMBER)
        others = {name: api for name, api in members.items() if name != LOST_MEMBER}
        detected = await self._until("the loss is detected", self._detected)

        async def moved() -> list[str]:
            comparison = await holdings.compare(self.federation.hub, others)
            return list(comparison.lost) + await self._running(others, sum(SHARES.values()))

        took = await self._until("the others run all 8 pods of web", moved)
        self.report.failover_seconds = round(detected + took, 3)
        self.screen.who_runs_what(list(others), await holdings.read_fleet(others))

        self.screen.step(f"{LOST_MEMBER} returns")
        self.federation.find(LOST_MEMBER)

        async def returned() -> list[str]:
            comparison = await holdings.compare(self.federation.hub, members)
            shares = await self._shares(SHARES)
            return comparison.problems() + shares + await self._not_ready()

        self.report.failback_seconds = await self._until(
            "it has its share again, and nothing runs twice", returned
        )
        comparison = await holdings.compare(self.federation.hub, members)
        self.report.lost = len(comparison.lost)
        self.screen.who_runs_what(list(members), await holdings.read_fleet(members))

    async def _delete(self, members: Mapping[str, MemberApi]) -> None:
        self.screen.step("delete everything")
        manifests = load(self.examples / "shop.yaml") + load(self.examples / "policies.yaml")
        for manifest in reversed(manifests):
            kind = GroupVersionKind.of(manifest)
            await self.federation.hub.delete(kind, namespace_of(manifest), name_of(manifest))

        async def empty() -> list[str]:
            left = [str(held) for held in sorted(await holdings.read_fleet(members))]
            self.report.orphans = len(left)
            return left + await self._running(members, 0)

        await self._until("the members hold nothing of it", empty)

    async def _until(self, name: str, check: Check) -> float:
        """Repeat *check* until it finds no problem; returns the seconds it took."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        problems = ["not asked yet"]
        shown = ""
        while problems and loop.time() - started < STEP_DEADLINE_SECONDS:
            try:
                problems = await check()
            except RetryableError as err:
                problems = [str(err)]
            if problems and problems[0] != shown:
                shown = problems[0]
                more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
                self.screen.progress(f"[dim]waiting: {shown}{more}[/]")
            if problems:
                await asyncio.sleep(POLL_SECONDS)
        seconds = round(loop.time() - started, 3)
        self.screen.check(f"{name} ({seconds:.1f} s)", problems)
        self.report.checks[name] = not problems
        return seconds

    async def _clusters(self) -> list[Cluster]:
        return [read(each, Cluster) for each in await self.federation.hub.list(_CLUSTER)]

    async def _not_ready(self) -> list[str]:
        clusters = {cluster.metadata.name: cluster for cluster in await self._clusters()}
        return [
            f"{name} is not ready"
            for name in self.federation.members
            if name not in clusters or not _is_ready(clusters[name])
        ]

    async def _detected(self) -> list[str]:
        lost = [each for each in await self._clusters() if each.metadata.name == LOST_MEMBER]
        return [f"{LOST_MEMBER} still counts as ready"] if any(map(_is_ready, lost)) else []

    async def _shares(self, wanted: Mapping[str, int]) -> list[str]:
        found = await holdings.ready_pods(self.federation.members, "app=web")
        return [] if found == dict(wanted) else [f"web runs {found} instead of {dict(wanted)}"]

    async def _running(self, members: Mapping[str, MemberApi], wanted: int) -> list[str]:
        found = await holdings.ready_pods(members, "app=web")
        total = sum(found.values())
        return [] if total == wanted else [f"{total} pods of web run instead of {wanted}: {found}"]

    async def _status_is_summed(self) -> list[str]:
        web = await self.federation.hub.get(_DEPLOYMENT, "shop", "web") or {}
        ready = (web.get("status") or {}).get("readyReplicas", 0)
        return (
            []
            if ready == sum(SHARES.values())
            else [f"the hub shows {ready} ready replicas of web"]
        )

    async def _overridden(self, members: Mapping[str, MemberApi]) -> list[str]:
        found = await holdings.read_fleet(members)
        images = {
            held.cluster: manifest["spec"]["template"]["spec"]["containers"][0]["image"]
            for held, manifest in found.items()
            if (held.kind, held.name) == ("Deployment", "web")
        }
        wanted = {
            "eu-1": "registry.example/shop/web:1.4.2",
            "us-1": "us.registry.example/shop/web:1.4.2",
            "ap-1": "ap.registry.example/shop/web:1.4.2",
        }
        return [] if images == wanted else [f"images are {images}"]


def _is_ready(cluster: Cluster) -> bool:
    return any(
        condition.type == READY and condition.status == "True"
        for condition in cluster.status.conditions
    )


def load(path: Path) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]
