"""Weighted backends in the place of a service that a route refers to."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import Manifest
from tests.overriding import changed, failure

MATCH = {"path": {"type": "PathPrefix", "value": "/"}}
IMPORT = {"group": "multicluster.x-k8s.io", "kind": "ServiceImport"}


def route(*refs: dict[str, Any], **more: Any) -> Manifest:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "rules": [{"matches": [{"path": {"value": "/"}}], "backendRefs": [*refs], **more}]
        },
    }


def split(port: int | None = 80, **weights: int) -> dict[str, Any]:
    backends = [
        {"name": f"shop-{name}", "port": 80, "weight": weight} for name, weight in weights.items()
    ]
    return {"service": "shop", "port": port, "backends": backends}


def refs_of(manifest: Manifest) -> list[Any]:
    found: list[Any] = manifest["spec"]["rules"][0]["backendRefs"]
    return found


def weights_of(manifest: Manifest) -> list[tuple[str, int]]:
    return [(one["name"], one["weight"]) for one in refs_of(manifest)]


def test_a_reference_to_the_service_or_its_import_becomes_the_backends() -> None:
    for ref in ({"name": "shop", "port": 80}, {"name": "shop", "port": 80, "weight": 7, **IMPORT}):
        given_ = route(ref, timeouts={"request": "1s"})
        found = changed(given_, backendOverrider=[split(eu=7_500, us=2_500)])
        assert refs_of(found) == [
            {"name": "shop-eu", "port": 80, "weight": 7_500},
            {"name": "shop-us", "port": 80, "weight": 2_500},
        ]
        # All else of the rule is as its author wrote it.
        assert found["spec"]["rules"][0] | {"backendRefs": [ref]} == given_["spec"]["rules"][0]


def test_filters_stay_with_each_backend_and_a_weight_of_none_stays_none() -> None:
    filters = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": ["x"]}}]
    ref = {"name": "shop", "port": 80, "weight": 0, "filters": filters}
    found = changed(route(ref), backendOverrider=[split(eu=1, us=1)])
    assert [one["filters"] for one in refs_of(found)] == [filters, filters]
    assert weights_of(found) == [("shop-eu", 0), ("shop-us", 0)]


def test_what_refers_to_something_else_is_left_as_it_is() -> None:
    for ref in (
        {"name": "other", "port": 80},
        {"name": "shop", "port": 81},
        {"name": "shop", "namespace": "elsewhere", "port": 80},
        {"name": "shop", "kind": "Backend", "group": "example.com"},
        {"name": "shop", "kind": "ServiceImport"},
    ):
        assert changed(route(ref), backendOverrider=[split(eu=1)]) == route(ref)
    for odd in ({}, {"rules": None}, {"rules": ["x", {"backendRefs": "y"}]}, {"rules": [{}]}):
        manifest = {**route(), "spec": odd}
        assert changed(manifest, backendOverrider=[split(eu=1)]) == manifest


def test_beside_others_the_backends_have_the_weight_of_the_reference_together() -> None:
    refs = ({"name": "shop", "port": 80, "weight": 30}, {"name": "static", "port": 8, "weight": 70})
    found = changed(route(*refs), backendOverrider=[split(eu=3, us=1)])
    assert weights_of(found) == [("shop-eu", 90), ("shop-us", 30), ("static", 280)]
    silent = changed(route(*refs), backendOverrider=[split(eu=0, us=0)])
    assert weights_of(silent) == [("shop-eu", 0), ("shop-us", 0), ("static", 70)]


def test_more_than_a_rule_may_have_are_those_that_weigh_most() -> None:
    many = {f"c{number:02}": number for number in range(16)}
    refs = [{"name": "shop", "port": 80}, *({"name": f"s{n}", "port": 1} for n in range(3))]
    found = changed(route(*refs), backendOverrider=[split(**many)])
    assert len(refs_of(found)) == 16
    assert weights_of(found)[0] == ("shop-c03", 3)
    full = route({"name": "shop"}, *({"name": f"s{n}"} for n in range(16)))
    assert "spec.rules[0].backendRefs: no room" in failure(full, backendOverrider=[split(eu=1)])
    odd = route({"name": "shop", "weight": "9"})
    assert "a weight must be a whole number" in failure(odd, backendOverrider=[split(eu=1)])


@given(
    st.lists(st.integers(0, 1_000_000), min_size=1, max_size=4),
    st.lists(st.integers(0, 1_000_000), min_size=1, max_size=4),
)
def test_weights_stay_within_bounds_and_nobody_loses_all(
    theirs: list[int], ours: list[int]
) -> None:
    refs = [{"name": "shop", "port": 80}]
    refs += [{"name": f"s{n}", "port": 1, "weight": weight} for n, weight in enumerate(theirs)]
    backends = {f"c{n}": weight for n, weight in enumerate(ours)}
    found = weights_of(changed(route(*refs), backendOverrider=[split(**backends)]))
    assert all(0 <= weight <= 1_000_000 for _, weight in found)
    assert [weight > 0 for _, weight in found] == [weight > 0 for weight in (*ours, *theirs)]
