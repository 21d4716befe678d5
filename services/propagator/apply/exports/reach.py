"""Whether endpoints of other members can be reached from within this one: tried by a connection.

Only by a process that runs beside its member, in its network. Of each other member one endpoint is
tried now and then; who refuses the connection was reached.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, NamedTuple

from services.propagator.apply.exports.view import SLICES
from shared.api.multicluster import SOURCE_CLUSTER_LABEL
from shared.apimachinery.manifest import Manifest, labels_of
from shared.errors import MemberRefused, RetryableError
from shared.memberapi.port import MemberApi

_SECONDS = 30.0
_PATIENCE = 3.0

Target = tuple[str, int]


class ReachLook:
    """From one member; *changed* is called when the outcome is another one.

    *measured* is given how many milliseconds each connection took, each time.
    """

    def __init__(
        self,
        cluster: str,
        api: MemberApi,
        changed: Callable[[], None],
        measured: Callable[[Mapping[str, float]], Awaitable[None]],
        *,
        patience: float = _PATIENCE,
    ) -> None:
        self._cluster = cluster
        self._api = api
        self._changed = changed
        self._measured = measured
        self._patience = patience
        self.found: dict[str, str] = {}
        """By member, why an endpoint of it cannot be reached; empty where it can."""

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(_SECONDS)

    async def look(self) -> None:
        """Try one endpoint of each other member; what cannot be listed now stays as it was."""
        try:
            listing = await self._api.list(SLICES, label_selector=SOURCE_CLUSTER_LABEL)
        except (RetryableError, MemberRefused):
            return
        targets = targets_of(listing.items)
        targets.pop(self._cluster, None)
        outcomes = await asyncio.gather(*(self._try(*one) for one in targets.values()))
        found = {name: one.why_not for name, one in zip(targets, outcomes, strict=True)}
        times = zip(targets, (one.milliseconds for one in outcomes), strict=True)
        await self._measured({name: took for name, took in times if took is not None})
        if found != self.found:
            self.found = found
            self._changed()

    async def _try(self, address: str, port: int) -> "_Outcome":
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(self._patience):
                _, writer = await asyncio.open_connection(address, port)
        except ConnectionRefusedError:
            return _Outcome("", (loop.time() - began) * 1000)
        except TimeoutError:
            return _Outcome(f"{address}:{port} does not answer")
        except OSError as err:
            return _Outcome(f"{address}:{port}: {err.strerror or err}")
        writer.close()
        return _Outcome("", (loop.time() - began) * 1000)


class _Outcome(NamedTuple):
    """Of one connection: one round trip, where there was an answer."""

    why_not: str
    milliseconds: float | None = None


def targets_of(slices: Iterable[Manifest]) -> dict[str, Target]:
    """By the member it is of, one ready endpoint that listens on TCP."""
    found: dict[str, Target] = {}
    for one in slices:
        cluster = labels_of(one).get(SOURCE_CLUSTER_LABEL, "")
        port = next((each for each in one.get("ports") or () if _is_tcp(each)), None)
        if not cluster or cluster in found or port is None or one.get("addressType") == "FQDN":
            continue
        for endpoint in one.get("endpoints") or ():
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            if ready and endpoint.get("addresses"):
                found[cluster] = str(endpoint["addresses"][0]), int(port["port"])
                break
    return found


def _is_tcp(port: Mapping[str, Any]) -> bool:
    return port.get("protocol", "TCP") == "TCP" and isinstance(port.get("port"), int)
