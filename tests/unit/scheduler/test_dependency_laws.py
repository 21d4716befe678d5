"""However it came about, the same objects are in the same places: histories leave no trace."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_config_map,
    a_deployment,
    a_policy,
    key_of,
)

CLUSTERS = ("eu-1", "us-1")
PLACES = {"web": ("eu-1",), "api": ("us-1",), "job": CLUSTERS}


def a_thing(kind, name, **sections):
    return {**a_config_map(name), "kind": kind, **sections}


def a_user(name, needs, account, generation):
    found = a_deployment(name, generation=generation)
    template = found["spec"]["template"]
    template["metadata"] = {"labels": {"app": name}}
    template["spec"]["volumes"] = [
        {"name": one, "configMap": {"name": one}} for one in sorted(needs)
    ]
    if account:
        template["spec"]["serviceAccountName"] = "runner"
    return found


def a_users_policy(name, takes_along):
    selectors = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name}]
    affinity = {"clusterNames": [*PLACES[name]]}
    policy = a_policy(name, selectors=selectors, clusterAffinity=affinity)
    if takes_along is not None:
        policy["spec"]["propagateDeps"] = takes_along
    return policy


def own_policy(generation):
    selectors = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "one"}]
    found = a_policy("own", selectors=selectors, clusterAffinity={"clusterNames": ["us-1"]})
    found["metadata"]["generation"] = generation
    return found


def an_ingress(generation):
    spec = {"defaultBackend": {"service": {"name": "front"}}, "tls": [{"secretName": "pull"}]}
    found = a_thing("Ingress", "front", spec=spec)
    found["metadata"]["generation"] = generation
    return {**found, "apiVersion": "networking.k8s.io/v1"}


def a_service(app, generation):
    found = a_thing("Service", "front", spec={"selector": {"app": app}})
    found["metadata"]["generation"] = generation
    return found


NAMES = st.sampled_from(sorted(PLACES))
# What is put; the number makes it another generation.
CHOICES = st.one_of(
    st.builds(
        lambda name, needs, account: lambda number: a_user(name, needs, account, number),
        NAMES,
        st.sets(st.sampled_from(["one", "two"])),
        st.booleans(),
    ),
    st.builds(
        lambda name, takes: lambda _: a_users_policy(name, takes),
        NAMES,
        st.sampled_from([None, True, False]),
    ),
    st.builds(lambda name: lambda _: a_config_map(name), st.sampled_from(["one", "two"])),
    st.just(lambda _: a_thing("ServiceAccount", "runner", imagePullSecrets=[{"name": "pull"}])),
    st.just(lambda _: a_thing("Secret", "pull")),
    st.just(own_policy),
    st.just(an_ingress),
    st.builds(lambda app: lambda number: a_service(app, number), NAMES),
)
STEPS = st.lists(st.tuples(CHOICES, st.booleans(), st.booleans()), min_size=6, max_size=30)


def placed(world):
    """Where everything is, and for whose sake."""
    found = {}
    for stored in world.store.mirror.items():
        leaving = stored.manifest["metadata"].get("deletionTimestamp")
        if stored.key.resource == "resourcebindings" and not leaving:
            spec = stored.manifest["spec"]
            clusters = {(one["name"], one.get("required", False)) for one in spec["clusters"]}
            users = {one["name"] for one in spec.get("requiredBy", ())}
            found[stored.key.name] = clusters, users
    return found


def revisions(world):
    items = world.store.mirror.items()
    return {one.key: one.revision for one in items if one.key.resource == "resourcebindings"}


async def play(steps):
    world, present = SchedulerWorld(), {}
    await world.put(*(a_cluster(name) for name in CLUSTERS))
    for number, (choice, removes, settles) in enumerate(steps, 1):
        thing = choice(number)
        key = key_of(thing)
        if removes and key in present:
            await world.remove(present.pop(key))
        elif not removes:
            present[key] = thing
            await world.put(thing)
        if settles:
            await world.settle()
    await world.settle()
    anew = SchedulerWorld()
    await anew.put(*(a_cluster(name) for name in CLUSTERS), *present.values())
    await anew.settle()
    assert placed(world) == placed(anew)
    before = revisions(world)
    world.start()
    await world.settle()
    assert revisions(world) == before


@given(STEPS)
def test_a_history_leaves_what_its_end_alone_would_have(steps) -> None:
    asyncio.run(play(steps))
