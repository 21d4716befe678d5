"""Dispatch is held back while a policy says so: members keep what they have."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey
from tests.federation import Federation, deployment, deployment_key, eventually
from tests.scheduled_federation import apply, scheduled_federation

WEB = deployment_key("web")
POLICY = ObjectKey("hanse.dev", "propagationpolicies", "shop", "p")


def a_policy(**spec: Any) -> Manifest:
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "p"},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            **spec,
        },
    }


async def ordered(federation: Federation, cluster: str) -> int | None:
    order = await federation.order(cluster, WEB)
    manifest = msgspec.json.decode(order.manifest) if order is not None else None
    # That of an order to remove it is null.
    return None if manifest is None else manifest["spec"]["replicas"]


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    async with scheduled_federation(tmp_path, "eu-1", "us-1") as found:
        yield found


async def are_ordered(federation: Federation, eu: int | None, us: int | None) -> bool:
    return (await ordered(federation, "eu-1"), await ordered(federation, "us-1")) == (eu, us)


async def test_nothing_is_sent_while_dispatching_is_suspended(federation: Federation) -> None:
    await apply(federation, POLICY, a_policy())
    await apply(federation, WEB, deployment("web", 2))
    await eventually(lambda: are_ordered(federation, 2, 2))
    await apply(federation, POLICY, a_policy(suspension={"dispatching": True}))
    some = ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")

    async def suspended() -> bool:
        stored = await federation.store.get(some)
        return stored is not None and bool(stored.manifest["spec"].get("suspension"))

    await eventually(suspended)
    await apply(federation, WEB, deployment("web", 5))

    async def decided() -> bool:
        stored = await federation.store.get(some)
        return stored is not None and stored.manifest["spec"]["replicas"] == 5

    await eventually(decided)
    assert await are_ordered(federation, 2, 2)
    one = {"dispatchingOnClusters": {"clusterNames": ["us-1"]}}
    await apply(federation, POLICY, a_policy(suspension=one))
    await eventually(lambda: are_ordered(federation, 5, 2))
    await apply(federation, POLICY, a_policy())
    await eventually(lambda: are_ordered(federation, 5, 5))


async def test_what_is_deleted_goes_in_spite_of_it(federation: Federation) -> None:
    await apply(federation, POLICY, a_policy())
    await apply(federation, WEB, deployment("web", 2))
    await eventually(lambda: are_ordered(federation, 2, 2))
    await apply(federation, POLICY, a_policy(suspension={"dispatching": True}))
    stored = await federation.store.get(WEB)
    assert stored is not None
    await federation.store.delete(WEB, stored.manifest, expected=stored.revision)
    await eventually(lambda: are_ordered(federation, None, None))
