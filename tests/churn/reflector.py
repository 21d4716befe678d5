"""Followers of a collection: what an informer of client-go does, and what kubernetes-asyncio does.

A reflector lists, or streams the list (KEP-3157), watches from there, goes on from the last version
it has seen whenever the connection ends, at any replica, and lists again on 410.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from kubernetes_asyncio import client as kubernetes
from kubernetes_asyncio.client.rest import ApiException
from kubernetes_asyncio.watch import Watch

from tests.churn.book import Book, Expired

PAUSE_SECONDS = 0.1
WATCH_SECONDS = 15
LOST = (aiohttp.ClientError, TimeoutError, ConnectionError)
INITIAL_END = "k8s.io/initial-events-end"


class Reflector:
    """Follows *path* at any of *urls*; `run` until cancelled."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        urls: list[str],
        path: str,
        *,
        selector: str = "",
        streaming: bool = False,
        limit: int = 0,
    ) -> None:
        self._session = session
        self._urls = urls
        self._path = path
        self._selector = selector
        self._streaming = streaming
        self._limit = limit
        self._rng = random.Random(selector)  # noqa: S311 - no secret.
        kind = "streaming" if streaming else f"listing by {limit or 'all'}"
        self.book = Book(f"reflector {kind} {selector}")

    async def run(self) -> None:
        while True:
            try:
                if self.book.version is not None or self._streaming:
                    await self._watch()
                else:
                    await self._list()
            except Expired:
                self.book.version = None
            except LOST:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _list(self) -> None:
        items: list[Any] = []
        query = {"limit": self._limit} if self._limit else {}
        while True:
            body = await self._get(query)
            items += body["items"]
            version = int(body["metadata"]["resourceVersion"])
            token = body["metadata"].get("continue")
            if not token:
                break
            # The next page may well come from another replica.
            query = {"limit": self._limit, "continue": token}
        self.book.replace(items, version)

    async def _get(self, query: dict[str, Any]) -> Any:
        url = self._rng.choice(self._urls) + self._path
        params = {**query, "labelSelector": self._selector}
        async with self._session.get(url, params=params) as response:
            if response.status == 410:
                raise Expired
            if response.status != 200:
                raise ConnectionError(await response.text())
            return await response.json()

    async def _watch(self) -> None:
        book = self.book
        query = {"allowWatchBookmarks": "true", "labelSelector": self._selector}
        initial: list[Any] | None = None
        if book.version is None:
            initial = []
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        else:
            query["resourceVersion"] = str(book.version)
        async for event in self._events(query):
            if initial is None or event["type"] == "ERROR":
                book.take(event)
            elif event["type"] == "BOOKMARK":
                metadata = event["object"]["metadata"]
                assert metadata["annotations"][INITIAL_END] == "true"
                book.replace(initial, int(metadata["resourceVersion"]))
                initial = None
            else:
                assert event["type"] == "ADDED", event
                initial.append(event["object"])

    async def _events(self, query: dict[str, str]) -> AsyncIterator[Any]:
        url = self._rng.choice(self._urls) + self._path
        params = {**query, "watch": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        async with self._session.get(url, params=params) as response:
            if response.status != 200:
                raise ConnectionError(await response.text())
            while line := await response.content.readline():
                # A server that is killed may leave half a line.
                if line.endswith(b"\n"):
                    yield json.loads(line)


class LibraryFollower:
    """The same by kubernetes-asyncio's own Watch, over one replica as that library has it."""

    def __init__(self, api: kubernetes.ApiClient, namespace: str, selector: str) -> None:
        self._core = kubernetes.CoreV1Api(api)
        self._namespace = namespace
        self._selector = selector
        self.book = Book(f"kubernetes-asyncio {selector}")

    async def run(self) -> None:
        while True:
            try:
                await self._list_and_watch()
            except Expired:
                self.book.version = None
            except ApiException as err:
                if err.status == 410:
                    self.book.version = None
                await asyncio.sleep(PAUSE_SECONDS)
            except LOST:
                await asyncio.sleep(PAUSE_SECONDS)

    async def _list_and_watch(self) -> None:
        book, options = self.book, {"label_selector": self._selector}
        if book.version is None:
            listing = await self._core.list_namespaced_config_map(self._namespace, **options)
            plain = self._core.api_client.sanitize_for_serialization(listing)  # type: ignore[attr-defined]
            book.replace(plain["items"], int(plain["metadata"]["resourceVersion"]))
        async with Watch() as watch:
            stream = watch.stream(
                self._core.list_namespaced_config_map,
                self._namespace,
                resource_version=str(book.version),
                timeout_seconds=WATCH_SECONDS,
                **options,
            )
            async for event in stream:
                book.take({"type": event["type"], "object": event["raw_object"]})
