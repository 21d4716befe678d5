"""What a workload needs goes where it goes, counted by its users, and leaves with the last."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.core.dependencies.dependents import Use, Users, counted, roots_of
from shared.api.interpreter import ResourceInterpreter
from shared.api.meta import read
from shared.apimachinery.manifest import copy
from shared.errors import StaleRevision
from shared.interpreter.registry import BUILT_IN, read_declaration
from tests.unit.scheduler.scheduler_world import (
    SchedulerWorld,
    a_cluster,
    a_config_map,
    a_deployment,
    a_policy,
    key_of,
)

SETTINGS = a_config_map("settings")
SECRET = {**a_config_map("pull"), "kind": "Secret"}
ACCOUNT = {
    **a_config_map("runner"),
    "kind": "ServiceAccount",
    "imagePullSecrets": [{"name": "pull"}],
}


def a_user(name, *, settings="settings", **pod):
    """A Deployment that reads a ConfigMap."""
    found = a_deployment(name)
    template = found["spec"]["template"]
    template["metadata"] = {"labels": {"app": name}}
    if settings:
        template["spec"]["volumes"] = [{"name": "s", "configMap": {"name": settings}}]
    template["spec"] |= pod
    return found


def placed(name, *clusters, **spec):
    """A policy for the Deployment of that name."""
    selectors = [{"apiVersion": "apps/v1", "kind": "Deployment", "name": name}]
    policy = a_policy(name, selectors=selectors, clusterAffinity={"clusterNames": [*clusters]})
    policy["spec"] |= spec
    return policy


def a_service(name, **selector):
    return {
        **a_config_map(name),
        "kind": "Service",
        "spec": {"selector": selector},
    }


def an_ingress(name, service):
    backend = {"service": {"name": service}}
    return {
        **a_config_map(name),
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "spec": {"defaultBackend": backend, "tls": [{"secretName": "pull"}]},
    }


@pytest.fixture
async def world():
    found = SchedulerWorld()
    await found.put(*(a_cluster(name) for name in ("eu-1", "us-1", "ap-1")))
    return found


def users(world, template):
    return {
        f"{one.namespace}/{one.name}": set(one.clusters)
        for one in world.binding(template).spec.required_by
    }


async def test_a_config_map_is_where_its_users_are_and_leaves_with_the_last(world):
    web, api = a_user("web"), a_user("api")
    await world.put(SETTINGS, web, api, placed("web", "eu-1"), placed("api", "us-1"))
    await world.settle()
    assert set(world.shares(SETTINGS)) == {"eu-1", "us-1"}
    assert users(world, SETTINGS) == {
        "shop/api-deployment": {"us-1"},
        "shop/web-deployment": {"eu-1"},
    }
    assert all(one.required for one in world.binding(SETTINGS).spec.clusters)
    assert "needed by shop/api-deployment, shop/web-deployment" in world.condition(SETTINGS).message
    await world.remove(web)
    await world.settle()
    assert set(world.shares(SETTINGS)) == {"us-1"}
    other = a_user("api", settings="others")
    other["metadata"]["generation"] = 2
    await world.put(other)
    await world.settle()
    assert world.binding(SETTINGS) is None


async def test_a_dependency_that_comes_later_is_picked_up(world):
    await world.put(a_user("web"), placed("web", "eu-1"))
    await world.settle()
    assert world.binding(SETTINGS) is None
    await world.put(SETTINGS)
    await world.settle()
    assert set(world.shares(SETTINGS)) == {"eu-1"}


async def test_it_is_bound_before_its_user(world):
    await world.put(SETTINGS, ACCOUNT, SECRET, placed("web", "eu-1"))
    await world.settle()
    await world.put(a_user("web", serviceAccountName="runner"))
    await world.settle()
    revisions = [
        world.store.mirror.get(world.binding_key(one)).revision
        for one in (SECRET, ACCOUNT, SETTINGS, a_user("web"))
    ]
    assert max(revisions) == revisions[-1]
    assert set(world.shares(SECRET)) == {"eu-1"}


async def test_its_changes_reach_its_members(world):
    await world.put(SETTINGS, a_user("web"), placed("web", "eu-1"))
    await world.settle()
    changed = copy(SETTINGS)
    changed["metadata"]["generation"] = 2
    await world.put(changed)
    await world.settle()
    assert world.binding(SETTINGS).spec.resource.generation == 2


async def test_it_moves_with_its_user_and_stays_while_an_old_share_does(world):
    await world.put(SETTINGS, a_user("web"), placed("web", "eu-1"))
    await world.settle()
    await world.report(a_user("web"), eu_1="Healthy")
    await world.put(placed("web", "us-1"))
    await world.settle()
    assert world.leaving(a_user("web")) == {"eu-1": None}
    assert set(world.shares(SETTINGS)) == {"eu-1", "us-1"}
    await world.wait(5)
    await world.report(a_user("web"), us_1="Healthy")
    assert world.leaving(a_user("web")) == {}
    assert set(world.shares(SETTINGS)) == {"us-1"}


async def test_a_policy_of_its_own_has_the_last_word(world):
    own = [{"apiVersion": "v1", "kind": "ConfigMap"}]
    policy = a_policy("own", selectors=own, clusterAffinity={"clusterNames": ["ap-1"]})
    await world.put(SETTINGS, a_user("web"), placed("web", "eu-1"), policy)
    await world.settle()
    assert set(world.shares(SETTINGS)) == {"ap-1"}
    # Unless its user's policy asks for everything it needs.
    await world.put(placed("web", "eu-1", propagateDeps=True))
    await world.settle()
    assert set(world.shares(SETTINGS)) == {"ap-1", "eu-1"}
    assert [one.name for one in world.binding(SETTINGS).spec.clusters if one.required] == ["eu-1"]
    await world.remove(policy)
    await world.settle()
    assert set(world.shares(SETTINGS)) == {"eu-1"}


async def test_a_claim_outlives_its_users_for_it_holds_their_data(world):
    claim = {**a_config_map("disk"), "kind": "PersistentVolumeClaim"}
    volumes = [{"name": "d", "persistentVolumeClaim": {"claimName": "disk"}}]
    db = a_user("db", settings="", volumes=volumes)
    await world.put(claim, db, placed("db", "eu-1"))
    await world.settle()
    assert set(world.shares(claim)) == {"eu-1"}
    await world.report(db, eu_1="Healthy")
    await world.put(placed("db", "us-1"))
    await world.settle()
    await world.wait(5)
    await world.report(db, us_1="Healthy")
    assert world.leaving(db) == {}
    assert set(world.shares(claim)) == {"eu-1", "us-1"}
    await world.remove(db)
    await world.settle()
    assert set(world.shares(claim)) == {"eu-1", "us-1"}
    assert world.binding(claim).spec.required_by == ()
    await world.remove(claim)
    await world.settle()
    assert world.binding(claim) is None


async def test_what_several_need_is_handled_as_the_most_careful_of_them_says(world):
    await world.put(SETTINGS, a_user("web"), a_user("api"))
    await world.put(placed("web", "eu-1", conflictResolution="Overwrite"))
    await world.settle()
    assert world.binding(SETTINGS).spec.conflict_resolution == "Overwrite"
    terms = {"conflictResolution": "IfNoDiff", "preserveResourcesOnDeletion": True}
    await world.put(placed("api", "us-1", **terms))
    await world.settle()
    assert world.binding(SETTINGS).spec.conflict_resolution == "IfNoDiff"
    assert world.binding(SETTINGS).spec.preserve_resources_on_deletion


async def test_a_policy_may_take_nothing_along(world):
    await world.put(SETTINGS, a_user("web"), placed("web", "eu-1", propagateDeps=False))
    await world.settle()
    assert world.binding(SETTINGS) is None
    await world.put(placed("web", "eu-1"))
    await world.settle()
    assert set(world.shares(SETTINGS)) == {"eu-1"}
    await world.put(placed("web", "eu-1", propagateDeps=False))
    await world.settle()
    assert world.binding(SETTINGS) is None


@pytest.mark.parametrize("owner", ["hanse.dev", "namespace.karmada.io"])
@pytest.mark.parametrize("takes_along", [None, True])
async def test_what_is_labelled_so_follows_nobody(world, takes_along, owner):
    secret = copy(SETTINGS)
    secret["metadata"]["labels"] = {f"{owner}/skip-auto-propagation": "true"}
    terms = {} if takes_along is None else {"propagateDeps": takes_along}
    await world.put(SETTINGS, a_user("web"), placed("web", "eu-1", **terms))
    await world.settle()
    assert set(world.shares(SETTINGS)) == {"eu-1"}
    await world.put(secret)
    await world.settle()
    assert world.binding(SETTINGS) is None


async def test_what_it_needs_itself_follows_too(world):
    web = a_user("web", serviceAccountName="runner")
    await world.put(SETTINGS, ACCOUNT, SECRET, web, placed("web", "eu-1", "us-1"))
    await world.settle()
    assert set(world.shares(SECRET)) == {"eu-1", "us-1"}
    assert set(users(world, SECRET)) == {"shop/web-deployment"}
    await world.remove(web)
    await world.settle()
    assert world.binding(ACCOUNT) is world.binding(SECRET) is None


async def test_services_and_ingresses_follow_the_pods_they_lead_to(world):
    service, ingress = a_service("web", app="web"), an_ingress("web", "web")
    stranger = a_service("other", app="other")
    await world.put(ingress, service, stranger, SECRET, a_user("web"), placed("web", "eu-1"))
    await world.settle()
    for one in (service, ingress, SECRET):
        assert set(world.shares(one)) == {"eu-1"}
    assert world.binding(stranger) is None
    # They lead elsewhere now.
    await world.put(a_service("web", app="other"))
    await world.settle()
    for one in (service, ingress, SECRET):
        assert world.binding(one) is None


async def test_who_follows_does_not_keep_what_it_follows(world):
    """A Service and its Ingress need each other; without a workload neither stays."""
    service, ingress = a_service("web", app="web"), an_ingress("web", "web")
    web = a_user("web")
    await world.put(web, placed("web", "eu-1"), service, ingress)
    await world.settle()
    assert set(world.shares(ingress)) == {"eu-1"}
    await world.remove(web)
    await world.settle()
    assert world.binding(service) is world.binding(ingress) is None


async def test_a_user_that_is_not_seen_is_not_gone(world):
    """The binding of its user is in the store, and this process has not seen it."""
    await world.put(SETTINGS, a_user("web"), placed("web", "eu-1"))
    await world.settle()
    behind = SchedulerWorld(_Behind(world.store, world.binding_key(a_user("web"))))
    with pytest.raises(StaleRevision):
        await behind.templates.reconcile(key_of(SETTINGS))
    assert set(world.shares(SETTINGS)) == {"eu-1"}


class _Behind:
    """A store whose mirror has not seen one object."""

    def __init__(self, store, key) -> None:
        self._store = store
        self.mirror = _Without(store.mirror, key)

    async def get(self, key):
        return await self._store.get(key)


class _Without:
    def __init__(self, mirror, key) -> None:
        self._mirror, self._key = mirror, key

    def get(self, key):
        return None if key == self._key else self._mirror.get(key)

    def items(self, scope=None):
        found = self._mirror.items() if scope is None else self._mirror.items(scope)
        return [one for one in found if one.key != self._key]

    def on_change(self, listener):
        return self._mirror.on_change(listener)


@pytest.mark.parametrize("ending", ["mended", "removed"])
async def test_what_cannot_be_told_is_not_nothing(ending):
    """An interpreter that fails on a user takes nothing away (Karmada's #5188, #6523)."""
    rule = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "expression": "[object.spec.settings]",
    }
    declaration = {
        "metadata": {"name": "widgets"},
        "spec": {
            "target": {"apiVersion": "acme.example/v1", "kind": "Widget"},
            "customizations": {"dependencyInterpretation": {"references": [rule]}},
        },
    }
    declared = read_declaration(read(declaration, ResourceInterpreter))
    world = SchedulerWorld(interpreters=BUILT_IN.with_declared([declared]))

    def a_widget(generation, **spec):
        found = {**a_config_map("w"), "apiVersion": "acme.example/v1", "kind": "Widget"}
        found["metadata"]["generation"] = generation
        return {**found, "spec": spec}

    selectors = [{"apiVersion": "acme.example/v1", "kind": "Widget"}]
    cluster = a_cluster("eu-1")
    enabled = [
        {"groupVersion": "acme.example/v1", "resources": [{"kind": "Widget", "name": "widgets"}]}
    ]
    cluster["status"]["apiEnablements"] = enabled
    await world.put(cluster, SETTINGS, a_policy(selectors=selectors))
    await world.put(a_widget(1, settings="settings"))
    await world.settle()
    assert set(world.shares(SETTINGS)) == {"eu-1"}
    await world.put(a_widget(2, typo="settings"))
    await world.settle()
    world.start()
    await world.settle()
    assert set(world.shares(SETTINGS)) == {"eu-1"}
    if ending == "mended":
        await world.put(a_widget(3, settings="others"))
    else:
        await world.remove(a_widget(2))
    await world.settle()
    assert world.binding(SETTINGS) is None


async def test_a_restart_changes_nothing(world):
    await world.put(SETTINGS, a_user("web"), placed("web", "eu-1"), a_service("web", app="web"))
    await world.settle()
    keys = [world.binding_key(one) for one in (SETTINGS, a_user("web"), a_service("web"))]
    before = [world.store.mirror.get(key).revision for key in keys]
    world.start()
    await world.settle()
    assert [world.store.mirror.get(key).revision for key in keys] == before


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_the_order_of_events_does_not_count(world, order):
    things = [
        [SETTINGS, SECRET],
        [a_user("web"), placed("web", "eu-1")],
        [a_service("web", app="web"), an_ingress("web", "web")],
        [a_user("api"), placed("api", "us-1", propagateDeps=True)],
    ]
    for number in order:
        await world.put(*things[number])
        await world.settle()
    assert set(world.shares(SETTINGS)) == {"eu-1", "us-1"}
    assert set(world.shares(an_ingress("web", "web"))) == {"eu-1"}
    assert set(world.shares(SECRET)) == {"eu-1"}
    for number in order[::-1]:
        await world.remove(things[number][0])
        await world.settle()
    assert world.binding(SECRET) is None


# The rules alone.

NODES = st.sampled_from([("", "K", "n", name) for name in "abcdef"])
EDGES = st.lists(st.tuples(NODES, NODES), max_size=12)


@given(EDGES, st.randoms())
def test_an_index_of_users_is_the_same_in_any_order(edges, random) -> None:
    needs: dict = {}
    for user, needed in edges:
        needs.setdefault(user, set()).add(needed)
    one, other = Users(), Users()
    for user, needed in needs.items():
        one.put(user, needed)
    shuffled = list(needs)
    random.shuffle(shuffled)
    for user in shuffled:
        other.put(user, list(needs[user])[:1])
        other.put(user, needs[user])
    for user in needs:
        assert one.needs(user) == other.needs(user)
        assert one.of(user) == other.of(user)
    for user in shuffled:
        other.put(user, ())
    assert all(not other.of(user) for user in [*needs, *itertools.chain(*needs.values())])


@given(EDGES, st.dictionaries(NODES, st.sampled_from([None, True, False])), NODES)
def test_only_roots_count_and_only_what_is_left_to_them(edges, roots, needed) -> None:
    index = Users()
    for user in {user for user, _ in edges}:
        index.put(user, [one for other, one in edges if other == user])

    def bound_as(user):
        return Use(
            namespace="n",
            name=user[3],
            clusters=("eu-1",),
            rooted=user in roots,
            takes_along=roots.get(user),
            conflict_resolution="Abort",
            preserves=False,
            deletes_adopted=False,
        )

    found = roots_of(needed, index.of, bound_as)
    assert set(found) <= {user for user, takes in roots.items() if takes is not False}
    assert all(needed in index.below(user) for user in found)
    direct = {user for user in index.of(needed) if roots.get(user, False) is not False}
    assert direct <= set(found)
    assert {use.name for use in counted(found.values(), None)} == {user[3] for user in found}
