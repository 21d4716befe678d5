"""Laws of overriding: over any object and any overriders, the answer is an object or a failure."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.propagator.core.overrides import OverrideFailure, apply_overrides
from services.propagator.core.rendering import render_for
from shared.apimachinery.manifest import Manifest, copy, encode
from shared.interpreter.registry import GENERIC
from tests.overriding import EU, a_deployment, overridden, policy

names = st.sampled_from(["a", "b", "spec", "data", "metadata", "name", "a/b", "~", "", "0", "-"])
texts = st.sampled_from(
    [
        "x",
        "",
        "${cluster.name}",
        "${cluster.zone}",
        "${cluster.no}",
        "${cluster.",
        "$${cluster.name}",
        '{"a": 1}',
        "a: [1]",
        "registry.example:5000/a/b:1@sha256:0",
        "e30=",
    ]
) | st.text(max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)
containers = st.lists(
    st.fixed_dictionaries(
        {}, optional={"name": names, "image": values, "args": values, "env": values}
    )
    | values,
    max_size=2,
)
kinds = st.sampled_from(
    [
        ("apps/v1", "Deployment"),
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "Pod"),
        ("batch/v1", "CronJob"),
        ("a.example/v1", "Any"),
    ]
)


def _manifest(kind: tuple[str, str], labels: Any, parts: dict[str, Any]) -> Manifest:
    metadata = {"name": "n", "namespace": "shop", **labels}
    return {"apiVersion": kind[0], "kind": kind[1], "metadata": metadata, **parts}


pods = st.fixed_dictionaries({}, optional={"containers": containers, "initContainers": values})
manifests = st.builds(
    _manifest,
    kinds,
    st.fixed_dictionaries({}, optional={"labels": st.dictionaries(names, texts, max_size=2)}),
    st.fixed_dictionaries(
        {},
        optional={
            "data": st.dictionaries(names, values, max_size=3),
            "spec": values | st.fixed_dictionaries({"template": st.builds(dict, spec=pods)}),
        },
    ),
)
pointers = st.lists(names, max_size=4).map(
    lambda parts: "".join(f"/{one.replace('~', '~0').replace('/', '~1')}" for one in parts)
) | st.sampled_from(["/spec/template/spec/containers/0/image", "/data/a", "/metadata", "x", "/~2"])
operators = st.sampled_from(["add", "remove", "replace"])
patches = st.sampled_from(["add", "remove", "replace", "move", "copy", "test"])


def _each(**fields: Any) -> Any:
    return st.lists(st.fixed_dictionaries(fields), max_size=2)


def _operations(path: str) -> Any:
    return _each(**{path: pointers, "operator": patches, "value": values, "from": pointers})


words = _each(
    containerName=names | st.just("*"),
    operator=st.sampled_from(["add", "remove"]),
    value=st.lists(texts, max_size=2),
)
maps = _each(operator=operators, value=st.dictionaries(names, texts, max_size=2))
variables = st.lists(
    st.fixed_dictionaries(
        {"name": names},
        optional={"value": texts, "valueFrom": st.dictionaries(names, values, max_size=2)},
    ),
    max_size=2,
)
overriders = st.fixed_dictionaries(
    {},
    optional={
        "variablesOverrider": _each(path=pointers),
        "imageOverrider": st.lists(
            st.fixed_dictionaries(
                {
                    "component": st.sampled_from(["Registry", "Repository", "Tag"]),
                    "operator": operators,
                    "value": texts,
                },
                optional={"predicate": st.fixed_dictionaries({"path": pointers})},
            ),
            max_size=2,
        ),
        "commandOverrider": words,
        "argsOverrider": words,
        "envOverrider": _each(
            containerName=names | st.just("*"), operator=operators, value=variables
        ),
        "labelsOverrider": maps,
        "annotationsOverrider": maps,
        "fieldOverrider": st.lists(
            st.fixed_dictionaries({"fieldPath": pointers, "json": _operations("subPath")})
            | st.fixed_dictionaries({"fieldPath": pointers, "yaml": _operations("subPath")}),
            max_size=2,
        ),
        "plaintext": _operations("path"),
    },
)
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
    found = render_for(EU, manifest, GENERIC, None, overrides=policy(rule).overrides, uid="the-uid")
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
            "imageOverrider": _each(
                component=st.just("Tag") | st.just("Repository"),
                operator=st.just("replace"),
                value=st.sampled_from(["one", "two"]),
            ),
            "labelsOverrider": maps,
            "envOverrider": _each(containerName=st.just("*"), operator=operators, value=variables),
            "argsOverrider": _each(
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
