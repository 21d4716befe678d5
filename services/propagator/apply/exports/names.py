"""Whether the member's own DNS asks others for names of `clusterset.local`: a look now and then."""

import asyncio
from collections.abc import Callable
from typing import Literal

from shared.apimachinery.manifest import GroupVersionKind
from shared.errors import MemberRefused, RetryableError
from shared.memberapi.port import MemberApi, ResourceType

_SECONDS = 60.0
_CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
_PLACE = ("kube-system", "coredns")
_ZONE = "clusterset.local"

Found = Literal["Unknown", "Forwarded", "NotForwarded", "NoCoreDNS"]


class NamesLook:
    """Of one member; *changed* is called when the answer is another one."""

    def __init__(self, api: MemberApi, changed: Callable[[], None]) -> None:
        self._api = api
        self._changed = changed
        self._begun = asyncio.Event()
        self.found: Found = "Unknown"

    def begin(self) -> None:
        """Something is imported, so names matter."""
        self._begun.set()

    async def run(self) -> None:
        await self._begun.wait()
        while True:
            found = await self._look()
            if found != self.found:
                self.found = found
                self._changed()
            await asyncio.sleep(_SECONDS)

    async def _look(self) -> Found:
        try:
            configured = await self._api.get(_CONFIG_MAPS, *_PLACE)
        except RetryableError:
            return self.found
        except MemberRefused:
            return "Unknown"
        if configured is None:
            return "NoCoreDNS"
        text = (configured.get("data") or {}).get("Corefile")
        return "Forwarded" if _ZONE in str(text) else "NotForwarded"
