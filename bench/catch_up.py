"""A member that was away finds many objects changed: how long until it holds the newest of all.

It answers every request with an error for as long as the changes are made. The floor is the plain
client that tells it the same changes.
"""

import asyncio
from typing import Any

import aiohttp

from bench import load, plain_client
from bench.observer import DEPLOYMENTS
from bench.verbs import Ground, remove, write
from shared.apimachinery.manifest import uid_of
from shared.memberapi.credentials import MemberCredentials

# So that what is measured is not how often an absent member is tried.
_AWAY = {"errorRate": 1.0, "status": 502}


async def catch_up(ground: Ground, namespace: str, *, objects: int) -> dict[str, Any]:
    """Measure with the first member, which must be a simulated one."""
    federation, observer = ground.federation, ground.observer
    member, access = next(iter(federation.members)), ground.credentials[0]
    hub, loop = federation.hub, asyncio.get_running_loop()
    await hub.apply(load.namespace(namespace))
    await hub.apply(load.local_policy(namespace, member))
    seen: list[float] = []
    for edition in ("1", "2", "3"):
        bodies = load.encoded_deployments(objects, namespace=namespace, edition=edition)
        if edition == "3":
            # Straight at the member, which then holds what the hub does not know of.
            break
        if edition == "2":
            await _fault(access, _AWAY)
        await write(hub.api, namespace, bodies)
        if edition == "2":
            await asyncio.sleep(2)
            await _fault(access, {})
        started = loop.time()
        await observer.until_count(namespace, objects, deadline=ground.deadline, edition=edition)
        seen.append(loop.time() - started)
    listing = await hub.api.list(DEPLOYMENTS, namespace=namespace)
    floor = await plain_client.apply_all([access], namespace, bodies)
    await remove(
        hub.api, namespace, {str(each["metadata"]["name"]): uid_of(each) for each in listing.items}
    )
    await observer.until_count(namespace, 0, deadline=ground.deadline)
    return {
        "catch_up_objects": objects,
        "catch_up_seconds": round(seen[-1], 2),
        "catch_up_objects_per_second": round(objects / seen[-1], 1),
        "catch_up_floor_objects_per_second": round(objects / floor, 1),
    }


async def _fault(access: MemberCredentials, faults: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {access.token}"}
    async with (
        aiohttp.ClientSession(headers=headers, trust_env=False) as session,
        session.post(
            f"{access.server}/simulator/faults", json=faults, ssl=access.ssl_context() or False
        ) as response,
    ):
        response.raise_for_status()
