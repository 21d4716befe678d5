"""The floor: the best plain asyncio client that puts objects straight into API servers.

One aiohttp session a server, bodies encoded beforehand, server-side apply, a fixed number of
requests under way. It decides nothing, stores nothing and checks only that answers are successes.
"""

import asyncio
from collections.abc import Mapping, Sequence

import aiohttp

from shared.memberapi.credentials import MemberCredentials

CONNECTIONS = 16
_HEADERS = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}


async def apply_all(
    servers: Sequence[MemberCredentials], namespace: str, bodies: Mapping[str, bytes]
) -> float:
    """Apply every body to every server at once; returns the seconds it took."""
    loop = asyncio.get_running_loop()
    sessions = [_session(server) for server in servers]
    try:
        started = loop.time()
        await asyncio.gather(*(_apply_to(session, namespace, bodies) for session in sessions))
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


async def _apply_to(
    session: aiohttp.ClientSession, namespace: str, bodies: Mapping[str, bytes]
) -> None:
    waiting = iter(bodies.items())

    async def work() -> None:
        for name, body in waiting:
            path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
            async with session.patch(
                path, params={"fieldManager": "bench", "force": "true"}, data=body
            ) as response:
                await response.read()
                if response.status >= 300:
                    raise RuntimeError(f"{name}: HTTP {response.status}")

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
