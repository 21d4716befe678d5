"""The gateway as the `hanse` command uses it: manifests in and out, by kind.

The gateway speaks the Kubernetes API, so this is the client for members, pointed at the hub.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    encode,
    name_of,
    namespace_of,
    uid_of,
)
from shared.errors import InvalidObject
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.http import MemberLimits, open_member
from shared.memberapi.port import MemberApi, ResourceType

LIMITS = MemberLimits(deadline=timedelta(seconds=45))
"""Longer than a gateway waits while nodes of NATS choose who leads (`NatsSettings.patience`)."""


@asynccontextmanager
async def open_hub(access: MemberCredentials) -> AsyncIterator[MemberApi]:
    """Connect lazily to a gateway; raises `UnusableCredentials` at once."""
    async with open_member(access, name="hub", limits=LIMITS) as api:
        yield api


class Hub:
    """Objects by manifest; learns the served kinds once, and again when it meets a new one."""

    def __init__(self, api: MemberApi) -> None:
        self.api = api
        self._kinds: dict[GroupVersionKind, ResourceType] = {}

    async def kind(self, gvk: GroupVersionKind) -> ResourceType:
        """Raise `InvalidObject` for a kind the hub does not serve."""
        if gvk not in self._kinds:
            self._kinds = {kind.gvk: kind for kind in await self.api.discover()}
        if gvk not in self._kinds:
            raise InvalidObject(f'no kind "{gvk.kind}" in {gvk.api_version or "the manifest"}')
        return self._kinds[gvk]

    async def apply(self, manifest: Manifest) -> Manifest:
        kind = await self.kind(GroupVersionKind.of(manifest))
        namespace = namespace_of(manifest) or ("default" if kind.namespaced else "")
        return await self.api.apply(kind, namespace, name_of(manifest), encode(manifest))

    async def get(self, gvk: GroupVersionKind, namespace: str, name: str) -> Manifest | None:
        return await self.api.get(await self.kind(gvk), namespace, name)

    async def list(self, gvk: GroupVersionKind, *, label_selector: str = "") -> list[Manifest]:
        listing = await self.api.list(await self.kind(gvk), label_selector=label_selector)
        return list(listing.items)

    async def delete(
        self, gvk: GroupVersionKind, namespace: str, name: str, *, propagation: str = "Background"
    ) -> bool:
        """Delete what is there now; False where nothing is."""
        found = await self.get(gvk, namespace, name)
        if found is None:
            return False
        return await self.api.delete(
            await self.kind(gvk), namespace, name, uid=uid_of(found), propagation=propagation
        )
