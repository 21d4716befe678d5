"""Informers through churn: writes without end, gateways and NATS killed under it, nothing missed.

`HANSE_CHURN_SECONDS` makes it as long as one likes; the suite has a short form of it. What happened
in it is a property of the test's report (`--junitxml`, family xunit1).
"""

import asyncio
import contextlib
import os
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from kubernetes_asyncio import client as kubernetes

from tests.churn.book import Book, read
from tests.churn.reflector import LibraryFollower, Reflector
from tests.churn.site import Site, run_site
from tests.churn.writers import Writer

SECONDS = float(os.environ.get("HANSE_CHURN_SECONDS", "5"))
QUIET_SECONDS = min(15.0, SECONDS / 4)
SETTLE_SECONDS = 60.0
WRITERS = 4
OBJECTS = 25
WRITES_PER_SECOND = 20.0
PATH = "/api/v1/namespaces/default/configmaps"


def followers_of(
    site: Site, session: aiohttp.ClientSession, api: kubernetes.ApiClient
) -> list[Reflector | LibraryFollower]:
    urls = site.urls
    return [
        Reflector(session, urls, PATH),
        Reflector(session, urls[:1], PATH, limit=7),
        Reflector(session, urls, PATH, limit=7, selector="tier=gold"),
        Reflector(session, urls, PATH, streaming=True),
        Reflector(session, urls[1:], PATH, streaming=True, selector="tier=iron"),
        LibraryFollower(api, "default", "tier"),
        LibraryFollower(api, "default", "tier=gold"),
    ]


def api_of(site: Site, folder: Path) -> kubernetes.ApiClient:
    token = (folder / "tokens").read_text().partition(",")[0]
    configuration = kubernetes.Configuration()
    configuration.host = site.urls[0]
    configuration.ssl_ca_cert = str(folder / "tls" / "ca.crt")
    configuration.api_key = {"BearerToken": f"Bearer {token}"}
    return kubernetes.ApiClient(configuration)


@pytest.mark.timeout(SECONDS + 150)
async def test_no_follower_misses_or_doubles_an_object(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    rng = random.Random(SECONDS)  # noqa: S311 - no secret.
    async with AsyncExitStack() as stack:
        site, session = await stack.enter_async_context(run_site(tmp_path))
        api = await stack.enter_async_context(api_of(site, tmp_path))
        followers = followers_of(site, session, api)
        writers = [
            Writer(session, site.urls, PATH, [f"w{writer}-{n}" for n in range(OBJECTS)])
            for writer in range(WRITERS)
        ]
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            following = [tasks.create_task(one.run()) for one in followers]
            writing = [tasks.create_task(one.run(stopping, WRITES_PER_SECOND)) for one in writers]
            await _trouble(site, session, rng)
            books = [one.book for one in followers]
            await _heard(books)
            stopping.set()
            await asyncio.wait(writing)
            await _settle(session, site, books)
            for task in following:
                task.cancel()
        record_property("told", _told(site, writers, books))
        assert [fault for book in books for fault in book.wrong] == []
        assert all(book.lists > 0 and book.events > 0 for book in books)


async def _trouble(site: Site, session: aiohttp.ClientSession, rng: random.Random) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + SECONDS
    while loop.time() < end:
        await asyncio.sleep(rng.uniform(QUIET_SECONDS / 2, QUIET_SECONDS))
        await site.trouble(rng, session)


async def _heard(books: Sequence[Book]) -> None:
    """Let writers go on until every follower has followed: its replica may have been away."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_SECONDS):
            while not all(book.lists > 0 and book.events > 0 for book in books):
                await asyncio.sleep(0.05)


async def _settle(session: aiohttp.ClientSession, site: Site, books: Sequence[Book]) -> None:
    """Wait until every follower holds what a list shows; fails with the differences."""
    truth = {}
    for selector in ("", "tier", "tier=gold", "tier=iron"):
        params = {"labelSelector": selector}
        async with session.get(site.urls[0] + PATH, params=params) as response:
            items = (await response.json())["items"]
        truth[selector] = dict(map(read, _of_writers(items)))
    try:
        async with asyncio.timeout(SETTLE_SECONDS):
            while any(_difference(book, truth) for book in books):
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail("\n".join(f"{book.name}: {_difference(book, truth)}" for book in books))


def _of_writers(items: list[Any]) -> list[Any]:
    return [one for one in items if "n" in (one.get("data") or {})]


def _difference(book: Book, truth: dict[str, Any]) -> Any:
    expected = truth[book.name.rpartition(" ")[2]]
    return sorted(set(expected.items()) ^ set(book.held.items()), key=str)[:5]


def _told(site: Site, writers: Sequence[Writer], books: Sequence[Book]) -> str:
    writes = sum(one.writes for one in writers)
    lines = [f"{site.faults} faults, {site.deaths} unasked ends of gateways, {writes} writes"]
    lines += [f"{book.name}: {book.lists} lists, {book.events} events" for book in books]
    return "\n".join(lines)
