"""Which orders are published, revoked and forgotten."""

from hypothesis import given
from hypothesis import strategies as st

from services.propagator.core.namespaces import namespace_clusters
from services.propagator.core.order import Rank, rank_of
from services.propagator.core.works import (
    Held,
    Plan,
    asking,
    diff,
    held_by,
    make_namespace_order,
    make_order,
    make_tombstone,
)
from shared.api.binding import BindingSpec, ObjectReference, PolicyReference
from shared.apimachinery.manifest import ObjectKey
from shared.events.work import decode_order

KEY = ObjectKey("", "configmaps", "shop", "a")
SPEC = BindingSpec(
    resource=ObjectReference(
        api_version="v1", kind="ConfigMap", resource="configmaps", name="a", uid="u", generation=3
    ),
    policy=PolicyReference(kind="PropagationPolicy", name="p"),
    preserve_resources_on_deletion=True,
)


def held(digest: str, *, deleted: bool = False) -> Held:
    return Held(1, digest, "u", 1, "v1", "ConfigMap", deleted, preserve_on_deletion=False)


def order(data: str, spec: BindingSpec = SPEC):
    return make_order(KEY, {"data": data}, spec, api_version="v1", kind="ConfigMap")


def test_only_differences_are_published_and_the_unwanted_revoked() -> None:
    plan = diff(
        {"new": "x", "same": "x", "changed": "y", "back": "x"},
        {
            "same": held("x"),
            "changed": held("x"),
            "back": held("t", deleted=True),
            "unwanted": held("x"),
            "going": held("t", deleted=True),
            "left": held("x"),
            "unsure": held("x"),
        },
        fleet={"new", "same", "changed", "back", "unwanted", "going", "unsure"},
        undecided={"unsure"},
    )
    assert plan == Plan(("back", "changed", "new"), ("unwanted",), ("left",))


def test_a_member_is_asked_once_more_when_its_share_begins_anew() -> None:
    fleet = {"a"}
    assert diff({"a": "x"}, {"a": held("x")}, fleet=fleet, since={"a": "now"}).publish == ("a",)
    answered = Held(2, "x", "u", 1, "v1", "ConfigMap", False, False, since="now")
    assert diff({"a": "x"}, {"a": answered}, fleet=fleet, since={"a": "now"}) == Plan((), (), ())
    # The move is over: nothing has to be said about it.
    assert diff({"a": "x"}, {"a": answered}, fleet=fleet) == Plan((), (), ())


def test_asking_once_more_is_no_change_of_the_order() -> None:
    plain = order("1")
    asked = asking(plain, "2026-01-01T00:00:00.000000Z")
    assert asked.order.digest == plain.order.digest
    assert decode_order(asked.body).since == "2026-01-01T00:00:00.000000Z"
    assert asking(plain, "") is plain


names = st.sampled_from("abcde")


@given(
    desired=st.dictionaries(names, st.sampled_from("xy")),
    lying=st.dictionaries(names, st.tuples(st.sampled_from("xyt"), st.booleans())),
    fleet=st.sets(names),
    undecided=st.sets(names),
)
def test_once_a_plan_is_carried_out_there_is_nothing_left_to_do(
    desired: dict[str, str],
    lying: dict[str, tuple[str, bool]],
    fleet: set[str],
    undecided: set[str],
) -> None:
    state = {cluster: held(*one[:1], deleted=one[1]) for cluster, one in lying.items()}
    plan = diff(desired, state, fleet=fleet, undecided=undecided)
    for cluster in plan.publish:
        state[cluster] = held(desired[cluster])
    for cluster in plan.revoke:
        state[cluster] = held("t", deleted=True)
    for cluster in plan.forget:
        del state[cluster]
    assert diff(desired, state, fleet=fleet, undecided=undecided) == Plan((), (), ())
    assert set(state) <= fleet
    assert not set(plan.revoke) & (set(desired) | undecided)


def test_a_digest_covers_the_whole_order() -> None:
    first = order("1").order.digest
    assert order("1").order.digest == first
    assert order("2").order.digest != first
    again = BindingSpec(resource=SPEC.resource, policy=SPEC.policy)
    assert order("1", again).order.digest != first


def test_a_tombstone_speaks_of_what_was_held() -> None:
    encoded = order("1")
    assert decode_order(encoded.body) == encoded.order
    tombstone = make_tombstone(KEY, held_by(encoded.order, 7)).order
    assert tombstone.is_tombstone
    assert tombstone.preserve_on_deletion
    assert (tombstone.kind, tombstone.name, tombstone.template_generation) == ("ConfigMap", "a", 3)
    assert held_by(tombstone, 8).deleted


def test_a_namespace_order_never_takes_over_what_was_there() -> None:
    key = ObjectKey("", "namespaces", "", "shop")
    made = make_namespace_order(key, {"kind": "Namespace"}, uid="", generation=0).order
    assert made.conflict_resolution == "Abort"
    assert not made.namespaced


def test_a_namespace_goes_wherever_something_lives_or_arrives() -> None:
    assert namespace_clusters("shop", {"a"}, {"b"}, {"c"}) == {"a", "b", "c"}
    # One that stays away is where its own policy has it, and is torn away from under nothing.
    following = namespace_clusters("shop", {"a"}, {"b", "c"}, {"d"}, held={"c", "e"})
    assert following == {"a", "c"}
    assert namespace_clusters("kube-system", {"a"}, {"b"}, {"c"}) == frozenset()


def test_foundations_come_before_what_workloads_read_and_those_before_workloads() -> None:
    kinds = [
        ("apps", "deployments"),
        ("", "secrets"),
        ("apiextensions.k8s.io", "customresourcedefinitions"),
        ("", "namespaces"),
    ]
    assert [rank_of(*kind) for kind in kinds] == [
        Rank.WORKLOAD,
        Rank.SUPPORT,
        Rank.FOUNDATION,
        Rank.FOUNDATION,
    ]
