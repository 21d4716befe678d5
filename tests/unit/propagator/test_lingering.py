"""Namespaces that another dispatcher ordered stay for a while though nothing here needs them."""

import asyncio

from services.propagator.core.works import Held
from services.propagator.dispatch.lingering import LINGER, UnneededNamespaces
from tests.simulation.virtual_time import VirtualLoop


def held(sequence: int, *, ours: bool = False) -> Held:
    return Held(
        sequence=sequence,
        digest="",
        template_uid="",
        template_generation=0,
        api_version="v1",
        kind="Namespace",
        deleted=False,
        preserve_on_deletion=False,
        ours=ours,
    )


def test_it_stays_until_the_time_is_up_and_no_longer() -> None:
    async def scenario() -> None:
        unneeded = UnneededNamespaces()
        assert unneeded.bear("shop", {"m1": held(3)}, ()) == {"m1": LINGER}
        await asyncio.sleep(LINGER.total_seconds())
        assert unneeded.bear("shop", {"m1": held(3)}, ()) == {}

    run(scenario)


def test_another_order_begins_the_time_anew() -> None:
    async def scenario() -> None:
        unneeded = UnneededNamespaces()
        unneeded.bear("shop", {"m1": held(3)}, ())
        await asyncio.sleep(LINGER.total_seconds())
        assert unneeded.bear("shop", {"m1": held(5)}, ()) == {"m1": LINGER}

    run(scenario)


def test_what_this_process_ordered_goes_at_once() -> None:
    async def scenario() -> None:
        assert UnneededNamespaces().bear("shop", {"m1": held(3, ours=True)}, ()) == {}

    run(scenario)


def test_what_is_needed_stays_for_that_reason() -> None:
    async def scenario() -> None:
        assert UnneededNamespaces().bear("shop", {"m1": held(3)}, {"m1"}) == {}

    run(scenario)


def run(scenario: object) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(scenario())  # type: ignore[operator]
    finally:
        loop.close()
