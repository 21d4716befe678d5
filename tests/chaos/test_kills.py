"""Every process of Hanse killed in the middle of a rollout: nothing is lost and nothing is left."""

import pytest

from hanse.local.federation import SERVICES, Federation
from tests.chaos import boutique
from tests.chaos.insist import insist
from tests.chaos.wholeness import ordered, remove, until_empty, until_whole

pytestmark = pytest.mark.timeout(600)


async def test_killing_each_process_during_a_rollout_loses_nothing(
    federation: Federation,
) -> None:
    shop = boutique.manifests()
    await federation.hub.apply(boutique.POLICY)
    for manifest in shop:
        await federation.hub.apply(manifest)
    await until_whole(federation, shop)

    for revision, victim in enumerate(("nats", *SERVICES), start=1):
        shop = boutique.rolled_out(shop, revision)
        for number, manifest in enumerate(shop):
            if number == len(shop) // 2:
                federation.supervisor.child(victim).kill()
            await insist(lambda manifest=manifest: federation.hub.apply(manifest))
        await until_whole(federation, shop)

    kept, *rest = shop
    for number, manifest in enumerate(rest):
        if number == len(rest) // 2:
            federation.supervisor.child("propagator").kill()
        await remove(federation, manifest)
    await until_whole(federation, [kept])

    # What was removed stays so: whoever reads everything anew finds nothing of it.
    propagator = federation.supervisor.child("propagator")
    propagator.hold()
    for victim in ("nats", "gateway"):
        federation.supervisor.child(victim).kill()
    await until_whole(federation, [kept])
    assert len(await ordered(federation)) == len(federation.members)
    propagator.release()
    await remove(federation, kept)
    await until_whole(federation, [])
    await until_empty(federation)
