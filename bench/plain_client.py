"""The floor: the best plain asyncio client that puts objects straight into API servers.

One aiohttp session a server, bodies encoded beforehand, server-side apply, a fixed number of
requests under way. It decides nothing, stores nothing and checks only that answers are successes.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import aiohttp

from shared.memberapi.credentials import MemberCredentials

CONNECTIONS = 16
_HEADERS = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}


Requests = Sequence[tuple[str, bytes | None]]
"""Names, with a body each where there is one to send."""


async def apply_all(
    servers: Sequence[MemberCredentials], namespace: str, bodies: Mapping[str, bytes]
) -> float:
    """Apply every body to every server at once; returns the seconds it took."""
    return await _ask_all(servers, "PATCH", namespace, tuple(bodies.items()))


async def delete_all(
    servers: Sequence[MemberCredentials], namespace: str, names: Iterable[str]
) -> float:
    """Delete every name from every server at once; returns the seconds it took."""
    return await _ask_all(servers, "DELETE", namespace, tuple((name, None) for name in names))


async def _ask_all(
    servers: Sequence[MemberCredentials], method: str, namespace: str, requests: Requests
) -> float:
    loop = asyncio.get_running_loop()
    sessions = [_session(server) for server in servers]
    try:
        started = loop.time()
        await asyncio.gather(*(_ask(each, method, namespace, requests) for each in sessions))
        return loop.time() - started
    finally:
        for session in sessions:
            await session.close()


def _session(server: MemberCredentials) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        server.server,
        connector=aiohttp.TCPConnector(limit=CONNECTIONS, ssl=server.ssl_context() or False),
        headers={**_HEADERS, "Authorization": f"Bearer {server.token}"},
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=60),
    )


async def _ask(
    session: aiohttp.ClientSession, method: str, namespace: str, requests: Requests
) -> None:
    waiting = iter(requests)
    params = {"fieldManager": "bench", "force": "true"} if method == "PATCH" else {}

    async def work() -> None:
        for name, body in waiting:
            path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
            async with session.request(method, path, params=params, data=body) as response:
                await response.read()
                if response.status >= 300:
                    raise RuntimeError(f"{method} {name}: HTTP {response.status}")

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
