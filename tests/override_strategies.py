"""Hypothesis strategies of overriders and of what they meet: most of it does not fit."""

from typing import Any

from hypothesis import strategies as st

from shared.apimachinery.manifest import Manifest

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
_odd_manifests = st.builds(
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


def any_of(**fields: Any) -> Any:
    return st.lists(st.fixed_dictionaries(fields), max_size=2)


def _operations(path: str) -> Any:
    return any_of(**{path: pointers, "operator": patches, "value": values, "from": pointers})


words = any_of(
    containerName=names | st.just("*"),
    operator=st.sampled_from(["add", "remove"]),
    value=st.lists(texts, max_size=2),
)
maps = any_of(operator=operators, value=st.dictionaries(names, texts, max_size=2))
variables = st.lists(
    st.fixed_dictionaries(
        {"name": names},
        optional={"value": texts, "valueFrom": st.dictionaries(names, values, max_size=2)},
    ),
    max_size=2,
)
_odd_overriders = st.fixed_dictionaries(
    {},
    optional={
        "variablesOverrider": any_of(path=pointers),
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
        "envOverrider": any_of(
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

# What mostly fits: a workload of which everything is there, and changes of just that.

_words = st.sampled_from(["x", "y-1", "${cluster.name}", "${cluster.region}", "$${cluster.name}"])
_images = st.sampled_from(["a", "r.example/a/b:1", "r.example:5000/a@sha256:" + "0" * 64])
_container = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b"]), "image": _images},
    optional={
        "args": st.lists(_words, max_size=2),
        "env": st.lists(st.just({"name": "A", "value": "x"}) | st.just({"name": "B"}), max_size=2),
    },
)
_workloads = st.builds(
    _manifest,
    st.sampled_from([("apps/v1", "Deployment"), ("argoproj.io/v1alpha1", "Rollout")]),
    st.just({"labels": {"a": "x", "b": "y"}}),
    st.fixed_dictionaries(
        {
            "data": st.just({"a": '{"a": 1, "b": [1]}', "b": "a: 1\nb: [x]\n", "c": "${HOME}"}),
            "spec": st.builds(
                lambda containers: {"replicas": 1, "template": {"spec": containers}},
                st.fixed_dictionaries(
                    {"containers": st.lists(_container, min_size=1, max_size=2)},
                    optional={"initContainers": st.lists(_container, max_size=1)},
                ),
            ),
        }
    ),
)
_names = st.sampled_from(["a", "b", "*"])
_labels = st.dictionaries(st.sampled_from(["a", "b", "c.example/d"]), _words, min_size=1)
_within: Any = st.lists(
    st.sampled_from(
        [
            {"subPath": "/a", "operator": "replace", "value": "${cluster.name}"},
            {"subPath": "/b/-", "operator": "add", "value": {"c": ["x"]}},
            {"subPath": "/c", "operator": "copy", "from": "/b"},
            {"subPath": "/b/0", "operator": "remove"},
            {"subPath": "/a", "operator": "move", "from": "/b"},
        ]
    ),
    min_size=1,
    max_size=2,
)
fitting_overriders = st.fixed_dictionaries(
    {},
    optional={
        "variablesOverrider": st.lists(
            st.sampled_from(["/data", "/spec/template", "/data/c"]).map(lambda one: {"path": one})
        ),
        "imageOverrider": st.lists(
            st.sampled_from(
                [
                    {"component": "Tag", "operator": "replace", "value": "2"},
                    {"component": "Registry", "operator": "replace", "value": "r.${cluster.name}"},
                    {"component": "Repository", "operator": "add", "value": "-arm"},
                    {"component": "Registry", "operator": "remove"},
                ]
            ),
            max_size=2,
        ),
        "argsOverrider": any_of(
            containerName=_names,
            operator=st.sampled_from(["add", "remove"]),
            value=st.lists(_words, min_size=1, max_size=2),
        ),
        "envOverrider": any_of(
            containerName=_names,
            operator=st.sampled_from(["add", "replace"]),
            value=st.lists(
                st.fixed_dictionaries({"name": st.sampled_from("ABC"), "value": _words}),
                min_size=1,
                max_size=2,
                unique_by=lambda one: one["name"],
            ),
        ),
        "labelsOverrider": any_of(operator=operators, value=_labels),
        "annotationsOverrider": any_of(operator=operators, value=_labels),
        "fieldOverrider": st.lists(
            st.builds(lambda one: {"fieldPath": "/data/a", "json": one}, _within)
            | st.builds(lambda one: {"fieldPath": "/data/b", "yaml": one}, _within),
            max_size=2,
        ),
        "plaintext": st.lists(
            st.sampled_from(
                [
                    {"path": "/spec/replicas", "operator": "replace", "value": 3},
                    {"path": "/metadata/labels/a", "operator": "remove"},
                    {"path": "/spec/x", "operator": "copy", "from": "/spec/template"},
                    {"path": "/data/d", "operator": "move", "from": "/data/c"},
                    {"path": "/spec/replicas", "operator": "test", "value": 1},
                    {"path": "/metadata/annotations", "operator": "add", "value": {"x": "y"}},
                ]
            ),
            max_size=2,
        ),
    },
)

manifests = _workloads | _odd_manifests
overriders = fitting_overriders | _odd_overriders
