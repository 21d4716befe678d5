"""A policy from the hub's API to plans, explanations and facts, over a nats-server."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from hanse.__main__ import main
from hanse.client import HanseClient, HubRefused
from shared.bus.port import CaughtUp, RequestError
from shared.bus.topology import EVENTS
from shared.errors import StoreUnavailable
from shared.events.requests import API_TRAFFIC, API_TRAFFIC_RENDER, API_TRAFFIC_REPORT
from shared.events.traffic import (
    SplitChanged,
    TrafficRequest,
    TrafficWord,
    decode_split_changed,
)
from tests.balanced_fleet import POLICY, Fleet, balanced_fleet
from tests.federation import eventually
from tests.gateway import serving_gateway

DEADLINE = timedelta(seconds=5)
SHIFT = {
    "to": {"clusterNames": ["us-1"]},
    "steps": [{"percentage": 20, "duration": "1h"}, {"percentage": 100}],
    "gate": {"maxErrorPercent": 10},
}


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with balanced_fleet(tmp_path, ("eu-1", "us-1")) as found:
        yield found


async def ask(fleet: Fleet, subject: str, **asked: Any) -> dict[str, Any]:
    async def answered() -> bytes | None:
        try:
            return await fleet.bus.request(subject, json.dumps(asked).encode(), deadline=DEADLINE)
        except StoreUnavailable:
            # Nobody listens yet.
            return None

    found: dict[str, Any] = json.loads(await eventually(answered))
    return found


async def _fed_with_warnings(fleet: Fleet, count: int) -> dict[str, Any] | None:
    found = await ask(fleet, API_TRAFFIC)
    return found if len(found["warnings"]) == count else None


async def facts(fleet: Fleet) -> list[SplitChanged]:
    subject = "hanse.events.traffic.split-changed.>"
    found = []
    async with fleet.bus.follow(EVENTS, [subject], recent=EVENTS.age_max) as messages:
        async for message in messages:
            if isinstance(message, CaughtUp):
                break
            found.append(decode_split_changed(message.body))
    return found


def condition(policy: Any, kind: str) -> tuple[str, str]:
    return next((one.status, one.reason) for one in policy.status.conditions if one.type == kind)


async def test_what_becomes_of_endpoints_and_clusters_shows_in_the_split(fleet: Fleet) -> None:
    await fleet.apply()
    await fleet.until({"eu-1": 50, "us-1": 50})
    fleet.export(eu_1=3)
    await fleet.until({"eu-1": 75, "us-1": 25})
    fleet.export(us_1=0)
    await fleet.until({"eu-1": 100})
    await fleet.register("eu-1", leaving="Move")
    fleet.export(us_1=1)
    await fleet.until({"us-1": 100})
    fleet.export(us_1=0)
    # Nobody else can: so it stays where it was to leave.
    await fleet.until({"eu-1": 100})

    told = await facts(fleet)
    assert [sorted(each.cluster for each in one.after[0].shares if each.share) for one in told] == [
        ["eu-1", "us-1"],
        ["eu-1", "us-1"],
        ["eu-1"],
        ["us-1"],
        ["eu-1"],
    ]
    assert told[0].before == ()
    assert told[-1].reasons == {"eu-1": "Drained", "us-1": "NoEndpoints"}


async def test_the_oldest_policy_speaks_for_a_service_until_it_goes(fleet: Fleet) -> None:
    await fleet.apply(weights=[{"targetCluster": {"clusterNames": ["eu-1"]}, "weight": 1}])
    await fleet.until({"eu-1": 100})
    younger = POLICY._replace(name="younger")
    stored = await fleet.store.get(POLICY)
    assert stored is not None
    metadata = {"name": "younger", "namespace": "shop", "uid": "v"}
    metadata["creationTimestamp"] = "2026-01-02T00:00:00Z"
    # The older one leaves it out: the service's first port, which this is.
    spec = {"service": "shop", "port": fleet.port}
    manifest = {**stored.manifest, "metadata": metadata, "spec": spec, "status": {}}
    await fleet.store.create(younger, manifest)
    await eventually(lambda: _has_condition(fleet, younger, "AnotherPolicy"))

    stored = await fleet.store.get(POLICY)
    assert stored is not None
    await fleet.store.delete(POLICY, stored.manifest, expected=stored.revision)
    await eventually(lambda: _has_condition(fleet, younger, "Routed"))


async def test_a_policy_is_kept_up_with_until_it_is_gone(fleet: Fleet) -> None:
    await fleet.apply()
    await fleet.until({"eu-1": 50, "us-1": 50})
    stored = await fleet.store.get(POLICY)
    assert stored is not None
    going = {"deletionTimestamp": "2026-01-03T00:00:00Z", "finalizers": ["example.com/look"]}
    manifest = {**stored.manifest, "metadata": {**stored.manifest["metadata"], **going}}
    await fleet.store.update(POLICY, manifest, expected=stored.revision)
    fleet.export(us_1=0)
    await fleet.until({"eu-1": 100})


async def _has_condition(fleet: Fleet, key: Any, reason: str) -> bool:
    stored = await fleet.store.get(key)
    assert stored is not None
    conditions = stored.manifest.get("status", {}).get("conditions") or ()
    return any(one["reason"] == reason for one in conditions)


async def test_a_shift_goes_by_what_anybody_reports_and_outlives_who_decides(
    tmp_path: Path,
) -> None:
    async with balanced_fleet(tmp_path, ("eu-1", "us-1"), deciding=False) as fleet:
        word = {"namespace": "shop", "policy": "shop", "front": "lb", "epoch": "1"}

        async def report(requests: int, errors: int) -> None:
            counts = [{"cluster": "us-1", "requests": requests, "errors": errors}]
            words = [{**word, "counts": counts}]
            assert (await ask(fleet, API_TRAFFIC_REPORT, words=words))["taken"] == 1

        async def counted(requests: int) -> bool:
            state = (await fleet.policy()).status.shift
            return state is not None and state.requests == requests

        await fleet.apply(shift=SHIFT)
        async with fleet.deciding():
            await fleet.until({"eu-1": 80, "us-1": 20})
            await report(0, 0)
            await report(100, 9)
            await eventually(lambda: counted(100))
        async with fleet.deciding():
            # What is counted goes on from what was written.
            await report(100, 9)
            await report(120, 15)
            await fleet.until({"eu-1": 100})
        assert condition(await fleet.policy(), "Shifted") == ("False", "Retreated")
        conditions = (await fleet.policy()).status.conditions
        (message,) = [one.message for one in conditions if one.type == "Shifted"]
        assert message == "step 1 (20%): 15 of 120 requests failed, more than 10%"


async def test_plans_are_fed_and_rendered_and_bad_requests_answered(fleet: Fleet) -> None:
    await fleet.apply(hosts=["shop.example.com"])
    await fleet.until({"eu-1": 50, "us-1": 50})
    (plan,) = (await ask(fleet, API_TRAFFIC))["plans"]
    assert {one["cluster"] for one in plan["backends"]} == {"eu-1", "us-1"}
    assert (await ask(fleet, API_TRAFFIC, namespace="other"))["plans"] == []
    rendered = await ask(
        fleet, API_TRAFFIC_RENDER, namespace="shop", policy="shop", form="multiclusteringress"
    )
    (found,) = rendered["objects"]
    assert found["spec"]["rules"][0]["host"] == "shop.example.com"

    # Admission takes neither, but what is stored may be older than its rules.
    await fleet.apply("odd", service="other", gateways=[{"cluster": "eu-1", "addresses": ["a"]}])
    await fleet.apply("odder", service=[])
    fed = await eventually(lambda: _fed_with_warnings(fleet, 2))
    assert [one["policy"] for one in fed["plans"]] == ["shop"]
    for name, warning in zip(("odd", "odder"), fed["warnings"][::-1], strict=True):
        assert warning.startswith(f"trafficpolicy shop/{name} cannot be understood")

    word = {"namespace": "shop", "policy": "shop", "front": "", "counts": []}
    for subject, asked, code in (
        (API_TRAFFIC, {"policy": "none"}, 404),
        (API_TRAFFIC, {"namespace": 3}, 400),
        (API_TRAFFIC_RENDER, {"namespace": "shop", "policy": "none"}, 404),
        (API_TRAFFIC_RENDER, {"namespace": "", "policy": ""}, 400),
        (API_TRAFFIC_RENDER, {"namespace": "shop", "policy": "odd"}, 400),
        (API_TRAFFIC_RENDER, {"namespace": "shop", "policy": "shop", "form": "pdf"}, 400),
        (API_TRAFFIC_REPORT, {"words": [word]}, 400),
        (API_TRAFFIC_REPORT, {"words": [{**word, "front": "a", "policy": "none"}]}, 404),
    ):
        with pytest.raises(RequestError) as refused:
            await ask(fleet, subject, **asked)
        assert (subject, refused.value.code) == (subject, code)


async def test_people_see_it_on_the_command_line(
    fleet: Fleet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await fleet.apply(shift=SHIFT)
    await fleet.until({"eu-1": 80, "us-1": 20})
    fleet.export(us_1=0)
    await fleet.until({"eu-1": 100})
    async with serving_gateway(fleet.store, fleet.bus, tmp_path) as kubeconfig:
        hub = ["--kubeconfig", str(kubeconfig), "-n", "shop"]

        async def run(*words: str) -> tuple[int, str]:
            status = await asyncio.to_thread(main, [*words, *hub])
            said = capsys.readouterr()
            return status, said.out + said.err

        status, said = await run("traffic", "render", "shop", "-o", "httproute")
        assert status == 0
        kinds = [one["kind"] for one in yaml.safe_load_all(said)]
        assert kinds == ["HTTPRoute", "Service", "Service", "EndpointSlice"]
        status, said = await run("traffic", "render", "shop", "-o", "haproxy")
        assert (status, "backend shop_shop\n" in said) == (0, True)
        status, said = await run("traffic", "render", "shop")
        assert json.loads(said)["service"] == "shop"
        assert (await run("traffic", "render", "none"))[0] == 1


async def test_other_systems_ask_and_report_by_the_python_client(fleet: Fleet) -> None:
    await fleet.apply()
    await fleet.until({"eu-1": 50, "us-1": 50})
    client = HanseClient(fleet.bus, "prometheus")

    (plan,) = (await client.traffic(TrafficRequest(namespace="shop", service="shop"))).plans
    assert plan.shares_from("eu") == {"eu-1": 5_000, "us-1": 5_000}
    word = TrafficWord(namespace="shop", policy="shop", front="prometheus")
    assert await client.report_traffic([word]) == 1
    with pytest.raises(HubRefused, match="not found"):
        await client.report_traffic([msgspec.structs.replace(word, policy="none")])
