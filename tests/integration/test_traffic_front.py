"""Real traffic through a real HAProxy, shared among backends that stand for pods of members.

With HANSE_TRAFFIC_REQUESTS=20000 the shares are measured over so many requests.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.api.cluster import DRAINING_TAINT
from tests.balanced_fleet import Fleet, balanced_fleet, needs_haproxy
from tests.federation import eventually

pytestmark = needs_haproxy

REQUESTS = int(os.environ.get("HANSE_TRAFFIC_REQUESTS", "1000"))
DRAINING = {"key": DRAINING_TAINT, "effect": "NoSchedule"}


def weight(number: int, *clusters: str) -> dict[str, Any]:
    return {"targetCluster": {"clusterNames": [*clusters]}, "weight": number}


WEIGHTS = [weight(6, "eu-1"), weight(3, "us-1"), weight(1, "ap-1")]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    async with balanced_fleet(tmp_path, ("eu-1", "us-1", "ap-1")) as found:
        await found.apply(weights=WEIGHTS)
        await found.until({"eu-1": 60, "us-1": 30, "ap-1": 10})
        async with found.fronted(tmp_path):
            await eventually(lambda: _answers(found))
            yield found


async def _answers(fleet: Fleet) -> bool:
    return bool((await fleet.ask(1))["failed"] == 0)


async def _reaches(fleet: Fleet, *names: str) -> bool:
    return set(await fleet.ask(40)) == set(names)


def _percent(found: Counter[str]) -> dict[str, float]:
    return {name: 100 * count / found.total() for name, count in found.items()}


async def test_requests_follow_the_weights_and_their_change(fleet: Fleet) -> None:
    found = _percent(await fleet.ask(REQUESTS))
    assert found == pytest.approx({"eu-1": 60, "us-1": 30, "ap-1": 10}, abs=2)

    await fleet.apply(weights=[weight(1, "eu-1"), weight(4, "ap-1")])
    await eventually(lambda: _reaches(fleet, "eu-1", "ap-1"))
    found = _percent(await fleet.ask(REQUESTS))
    assert found == pytest.approx({"eu-1": 20, "ap-1": 80}, abs=2)


async def test_a_member_that_is_killed_under_load_costs_what_it_had_under_way(fleet: Fleet) -> None:
    async with fleet.load() as found:
        await eventually(lambda: found["eu-1"] > 100)
        fleet.pods["eu-1"].kill()
        dead = found["eu-1"]
        await eventually(lambda: found.total() > dead + 400)
        lost = found["failed"]
        fleet.export(eu_1=0)
        await fleet.until({"us-1": 75, "ap-1": 25})
        await eventually(lambda: found.total() > dead + 800)

        # One for each connection at most; who asks later is sent elsewhere.
        assert lost <= 4
        assert found["failed"] == lost
    assert set(await fleet.ask(100)) == {"us-1", "ap-1"}


async def test_a_shift_to_a_member_that_fails_retreats_by_itself(fleet: Fleet) -> None:
    fleet.pods["ap-1"].fail()
    shift = {
        "to": {"clusterNames": ["ap-1"]},
        "steps": [{"percentage": 25, "duration": "10m"}, {"percentage": 100}],
        "gate": {"maxErrorPercent": 5},
    }
    await fleet.apply(weights=WEIGHTS[:2], shift=shift)
    async with fleet.load() as found:

        async def retreated() -> bool:
            state = (await fleet.policy()).status.shift
            return state is not None and state.phase == "Retreated"

        await eventually(retreated)
        await fleet.until({"eu-1": 66.67, "us-1": 33.33})
        await eventually(lambda: _reaches(fleet, "eu-1", "us-1"))
        assert found["failed"] > 0
    state = (await fleet.policy()).status.shift
    assert state is not None
    message = state.message
    assert message.startswith("step 1 (25%): ")
    assert "requests failed, more than 5%" in message


async def test_a_drain_loses_no_request(fleet: Fleet) -> None:
    async with fleet.load() as found:
        await eventually(lambda: found["eu-1"] > 100)
        await fleet.register("eu-1", taints=[DRAINING])
        await fleet.until({"us-1": 75, "ap-1": 25})
        pod = fleet.pods["eu-1"]

        async def quiet() -> bool:
            before = pod.answered
            await asyncio.sleep(0.3)
            return pod.answered == before

        await eventually(quiet)
        pod.kill()
        total = found.total()
        await eventually(lambda: found.total() > total + 400)
        assert found["failed"] == 0

        # Undone, it takes its share again.
        await pod.start()
        await fleet.register("eu-1")
        await eventually(lambda: _reaches(fleet, "eu-1", "us-1", "ap-1"))
        assert found["failed"] == 0


async def test_another_policy_takes_a_new_process_and_costs_no_request(
    fleet: Fleet, tmp_path: Path
) -> None:
    async with fleet.load() as found:
        await eventually(lambda: found.total() > 100)
        await fleet.apply("other", service="other", hosts=["other.example.com"])
        file = tmp_path / "haproxy.cfg"
        await eventually(lambda: "other.example.com" in file.read_text())
        total = found.total()
        await eventually(lambda: found.total() > total + 400)
        # The new one is told of changes as the one before it was.
        await fleet.apply(weights=[weight(1, "us-1")])
        await eventually(lambda: _reaches(fleet, "us-1"))
    assert found["failed"] == 0


async def test_endpoints_come_and_go_under_load(fleet: Fleet) -> None:
    async with fleet.load() as found:
        for count in (3, 9, 2, 0, 1):
            fleet.export(ap_1=count)
            total = found.total()
            await eventually(lambda total=total: found.total() > total + 200)
        await eventually(lambda: _reaches(fleet, "eu-1", "us-1", "ap-1"))
    assert found["failed"] == 0


async def test_a_client_stays_where_it_was_until_that_is_drained(fleet: Fleet) -> None:
    await fleet.apply(sessionAffinity="ClientIP")
    await eventually(lambda: _sticks(fleet))
    (chosen,) = await fleet.ask(40)
    await fleet.register(chosen, taints=[DRAINING])
    others = {"eu-1", "us-1", "ap-1"} - {chosen}

    async def moved() -> bool:
        return set(await fleet.ask(40)) <= others

    await eventually(moved)


async def _sticks(fleet: Fleet) -> bool:
    found = await fleet.ask(40)
    return len(found) == 1 and not found["failed"]
