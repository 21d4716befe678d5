"""Knowing at once when a quota in a member comes, goes or says another thing.

Room is reckoned at intervals, and a quota that was made in between would let too much go there.
What is used of one changes with every pod, and waits for the next reckoning.
"""

import asyncio
from typing import Any

import structlog

from shared.apimachinery.manifest import GroupVersionKind, Manifest, name_of, namespace_of
from shared.clock import Clock
from shared.errors import HanseError
from shared.memberapi.port import MemberApi, MemberEvent, ResourceType

log = structlog.get_logger("hanse.health")

QUOTAS = ResourceType(
    GroupVersionKind("", "v1", "ResourceQuota"), "resourcequotas", namespaced=True
)
_PAUSE_SECONDS = 5.0


class QuotaWatch:
    """Of one member; `news` is set when there is any."""

    def __init__(self, cluster: str, clock: Clock) -> None:
        self.news = asyncio.Event()
        self._cluster = cluster
        self._clock = clock
        self._specs: dict[tuple[str, str], Any] = {}

    async def follow(self, member: MemberApi) -> None:
        """Watch until cancelled; a member that does not let us is looked at at intervals only."""
        first = True
        while True:
            try:
                listing = await member.list(QUOTAS)
                specs = {_key(one): one.get("spec") for one in listing.items}
                if specs != self._specs and not first:
                    self.news.set()
                self._specs, first = specs, False
                async with member.watch(
                    QUOTAS, resource_version=listing.resource_version
                ) as events:
                    async for event in events:
                        self._note(event)
            except HanseError:
                # Away, refused, or too old a version: what is missed shows in the next list.
                pass
            except Exception:
                # What one member says may make no sense: no reason to lose sight of the others.
                log.exception("member.quotas_senseless", cluster=self._cluster)
            await self._clock.sleep(_PAUSE_SECONDS)

    def _note(self, event: MemberEvent) -> None:
        if event.type not in ("ADDED", "MODIFIED", "DELETED"):
            return
        quota = event.manifest
        key, spec = _key(quota), quota.get("spec")
        before = self._specs.pop(key, None)
        if event.type != "DELETED":
            self._specs[key] = spec
        if event.type == "DELETED" or before != spec:
            self.news.set()


def _key(quota: Manifest) -> tuple[str, str]:
    return namespace_of(quota), name_of(quota)
