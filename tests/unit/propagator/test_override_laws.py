"""Laws of overriding: over any object and any overriders, the answer is an object or a failure."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.propagator.core.overrides import OverrideFailure, apply_overrides
from services.propagator.core.rendering import render_for
from shared.api.binding import Share
from shared.apimachinery.manifest import Manifest, copy, encode
from shared.interpreter.registry import GENERIC
from tests.override_strategies import (
    any_of,
    manifests,
    maps,
    operators,
    overriders,
    variables,
)
from tests.overriding import EU, a_deployment, overridden, policy

hostile = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)


@hostile
@given(manifests, st.lists(overriders, min_size=1, max_size=3))
def test_hostile_overriders_never_break_anything(manifest: Manifest, rules: list[Any]) -> None:
    found = overridden(manifest, *rules)
    if isinstance(found, OverrideFailure):
        assert found.message.startswith("overrideRules[")
        return
    for field in ("apiVersion", "kind"):
        assert found[field] == manifest[field]
    assert found["metadata"].items() >= {"name": "n", "namespace": "shop"}.items()
    assert copy(found) == found


@hostile
@given(manifests, overriders)
def test_the_marks_of_hanse_are_always_there(manifest: Manifest, rule: Any) -> None:
    rules = policy(rule).overrides
    found = render_for(EU, manifest, GENERIC, Share(), overrides=rules, uid="the-uid")
    if isinstance(found, OverrideFailure):
        return
    metadata = found["metadata"]
    assert metadata["labels"]["hanse.dev/managed"] == "true"
    assert metadata["annotations"]["hanse.dev/template-uid"] == "the-uid"
    # Where the worker looks for the room to put the generation of the work.
    assert encode(found).index(b'"hanse.dev/work-generation":""') < 120


@hostile
@given(manifests, overriders, overriders)
def test_two_rules_are_one_after_the_other(manifest: Manifest, one: Any, two: Any) -> None:
    together = overridden(manifest, one, two)
    first = overridden(manifest, one)
    if isinstance(first, OverrideFailure):
        assert together == first
        return
    second = overridden(first, two)
    if isinstance(second, OverrideFailure):
        assert isinstance(together, OverrideFailure)
    else:
        assert together == second


@hostile
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "imageOverrider": any_of(
                component=st.just("Tag") | st.just("Repository"),
                operator=st.just("replace"),
                value=st.sampled_from(["one", "two"]),
            ),
            "labelsOverrider": maps,
            # A single one: removing a variable and adding it again moves it to the end.
            "envOverrider": any_of(
                containerName=st.just("*"), operator=operators, value=variables
            ).map(lambda some: some[:1]),
            "argsOverrider": any_of(
                containerName=st.just("web"),
                operator=st.just("remove"),
                value=st.lists(st.sampled_from(["-v", "x"])),
            ),
        },
    )
)
def test_what_replaces_sets_or_removes_does_nothing_the_second_time(rule: Any) -> None:
    once = overridden(a_deployment(), rule)
    if not isinstance(once, OverrideFailure):
        assert overridden(once, rule) == once


@given(overriders)
def test_without_rules_for_a_cluster_the_manifest_is_the_same_object(rule: Any) -> None:
    manifest = a_deployment()
    assert apply_overrides(manifest, (), EU) is manifest
    assert overridden(manifest, {**rule, "plaintext": []}) is not manifest
