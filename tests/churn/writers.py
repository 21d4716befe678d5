"""Writers that create, change and delete objects, each its own, for as long as they are let.

A write that is not confirmed may have happened: its writer looks before it goes on.
"""

import asyncio
import random
from typing import Any

import aiohttp

from tests.churn.reflector import LOST, PAUSE_SECONDS

MERGE = "application/merge-patch+json"


class Writer:
    """Writes objects of its own at any of *urls*; `run` until *stopping* is set."""

    def __init__(
        self, session: aiohttp.ClientSession, urls: list[str], path: str, names: list[str]
    ) -> None:
        self._session = session
        self._urls = urls
        self._path = path
        self._rng = random.Random(names[0])  # noqa: S311 - no secret.
        # None is not there; the keys say which are in doubt.
        self._known: dict[str, Any] = dict.fromkeys(names)
        self.writes = 0

    async def run(self, stopping: asyncio.Event, rate: float) -> None:
        names = list(self._known)
        while not stopping.is_set():
            name = self._rng.choice(names)
            try:
                await self._write(name)
            except LOST:
                await self._look(name)
            else:
                self.writes += 1
            await asyncio.sleep(self._rng.expovariate(rate))

    async def _write(self, name: str) -> None:
        before = self._known[name]
        if before is None:
            body = {"metadata": {"name": name, "labels": self._labels()}, "data": {"n": "1"}}
            self._known[name] = await self._ask("POST", "", body)
        elif self._rng.random() < 0.2:
            await self._ask("DELETE", f"/{name}")
            self._known[name] = None
        else:
            metadata: dict[str, Any] = {"resourceVersion": before["metadata"]["resourceVersion"]}
            if self._rng.random() < 0.3:
                metadata["labels"] = self._labels()
            body = {"metadata": metadata, "data": {"n": str(int(before["data"]["n"]) + 1)}}
            self._known[name] = await self._ask("PATCH", f"/{name}", body)

    def _labels(self) -> dict[str, str]:
        return {"tier": self._rng.choice(("gold", "iron"))}

    async def _look(self, name: str) -> None:
        """Read until it is known what became of the last write."""
        while True:
            try:
                self._known[name] = await self._ask("GET", f"/{name}")
            except LOST:
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return

    async def _ask(self, method: str, tail: str, body: Any = None) -> Any:
        url = self._rng.choice(self._urls) + self._path + tail
        headers = {"Content-Type": MERGE} if method == "PATCH" else {}
        timeout = aiohttp.ClientTimeout(total=15)
        async with self._session.request(
            method, url, json=body, headers=headers, timeout=timeout
        ) as response:
            if response.status == 404 and method == "GET":
                return None
            if response.status >= 300:
                raise ConnectionError(f"{method} {tail}: {await response.text()}")
            return await response.json()
