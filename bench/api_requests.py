"""The requests that an API server is measured by, encoded before the clock starts."""

import statistics
from collections.abc import Mapping
from time import perf_counter
from typing import Any

import aiohttp
import msgspec

from bench import load
from bench.rates import Ask

PATH = f"/apis/apps/v1/namespaces/{load.NAMESPACE}/deployments"
LISTED, COLD = "listed", "cold"
LIST = f"/apis/apps/v1/namespaces/{LISTED}/deployments"
JSON = {"Content-Type": "application/json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
LIST_ROUNDS = 5


def ask_for(
    session: aiohttp.ClientSession,
    method: str,
    path: str,
    body: bytes | None = None,
    **options: Any,
) -> Ask:
    async def ask() -> None:
        async with session.request(method, path, data=body, **options) as response:
            answer = await response.read()
            if response.status >= 300:
                raise RuntimeError(f"{method} {path}: HTTP {response.status} {answer[:200]!r}")

    return ask


def creates(session: aiohttp.ClientSession, names: str, count: int, path: str = PATH) -> list[Ask]:
    asks = []
    for number in range(count):
        manifest = load.deployment(number)
        manifest["metadata"]["name"] = f"{names}-{number:05d}"
        body = msgspec.json.encode(manifest)
        asks.append(ask_for(session, "POST", path, body, headers=JSON))
    return asks


def applies(session: aiohttp.ClientSession, count: int) -> list[Ask]:
    """What another manager changes in objects that are there."""
    asks = []
    for number in range(count):
        name = f"created-{number:05d}"
        manifest = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "labels": {"wave": str(number)}},
            "spec": {"replicas": number % 7 + 2},
        }
        options: dict[str, Any] = {
            "params": {"fieldManager": "bench", "force": "true"},
            "headers": APPLY,
        }
        body = msgspec.json.encode(manifest)
        asks.append(ask_for(session, "PATCH", f"{PATH}/{name}", body, **options))
    return asks


async def seconds_of(
    session: aiohttp.ClientSession,
    headers: Mapping[str, str],
    *,
    path: str = LIST,
    rounds: int = LIST_ROUNDS,
) -> float:
    found = []
    for _ in range(rounds):
        began = perf_counter()
        await ask_for(session, "GET", path, headers={"Accept-Encoding": "identity", **headers})()
        found.append(perf_counter() - began)
    return round(statistics.median(found), 3)
