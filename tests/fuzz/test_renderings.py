"""Whatever is asked to be rendered: an answer or a refusal, never a bug."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import structlog.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.propagator.dispatch.dispatcher import Dispatcher
from shared.apimachinery.manifest import ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, RequestError
from shared.clock import SystemClock
from shared.events.requests import API_RENDER
from shared.store.memory import MemoryStore
from tests.fuzz.profile import EXAMPLES
from tests.fuzz.strategies import bodies, values
from tests.override_strategies import fitting_overriders, overriders
from tests.override_strategies import manifests as templates

_DEADLINE = timedelta(seconds=10)
_CLUSTER = {"apiVersion": "hanse.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": "eu-1"}}


def _policy(rules: list[Any], namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "OverridePolicy" if namespace else "ClusterOverridePolicy",
        "metadata": {"name": "p", **({"namespace": namespace} if namespace else {})},
        "spec": {"overrideRules": [{"overriders": one} for one in rules]},
    }


policies = st.builds(
    _policy,
    st.lists(fitting_overriders.filter(bool), min_size=1, max_size=2)
    | st.lists(overriders, min_size=1, max_size=2),
    st.sampled_from(["", "shop"]),
)
objects = policies | templates | st.dictionaries(st.sampled_from(["kind", "metadata"]), values)


@st.composite
def _asked(draw: st.DrawFn) -> bytes:
    """Mostly a template of some kind with policies for it, sometimes anything."""
    template = draw(templates)
    asked = {
        "apiVersion": template["apiVersion"],
        "kind": template["kind"],
        "resource": "things",
        "namespace": "shop",
        "name": "n",
        "clusters": ["eu-1"],
        "objects": [template, *draw(st.lists(policies, max_size=2))],
    }
    odd = st.fixed_dictionaries(
        {}, optional={"name": values, "clusters": values, "objects": values | st.lists(objects)}
    )
    return json.dumps({**asked, **draw(st.just({}) | odd)}).encode()


async def _is_answered(bus: Bus, body: bytes) -> None:
    refusal = None
    try:
        answer = json.loads(await bus.request(API_RENDER, body, deadline=_DEADLINE))
        assert all((one["manifest"] is None) == bool(one["error"]) for one in answer["clusters"])
    except RequestError as err:
        refusal = err
    if refusal is not None:
        assert 400 <= refusal.code < 500, (body[:300], str(refusal))
        assert json.loads(refusal.body)["kind"] == "Status"


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(asked=st.lists(_asked() | bodies, min_size=1, max_size=12))
def test_every_rendering_is_answered(asked: list[bytes]) -> None:
    async def play() -> None:
        bus, store = MemoryBus("tests"), MemoryStore()
        await store.create(ObjectKey("hanse.dev", "clusters", "", "eu-1"), _CLUSTER)
        dispatcher = Dispatcher(store, bus, SystemClock())
        serving = asyncio.create_task(dispatcher.view.run_requests())
        await asyncio.sleep(0)
        try:
            for body in asked:
                await _is_answered(bus, body)
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    with structlog.testing.capture_logs() as logged:
        asyncio.run(play())
    assert [entry for entry in logged if entry["event"] == "request.bug"] == []
