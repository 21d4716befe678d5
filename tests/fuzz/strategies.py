"""What hostile and careless clients send: odd values, objects, texts and bodies."""

import json
from typing import Any

from hypothesis import strategies as st

numbers = st.sampled_from([0, -1, 1, 2**31, 2**53, 2**63, 2**64, 10**40, 1e300, -0.0, 0.5])
texts = st.sampled_from(
    [
        *("", " ", "a", "A", "a/b", "..", "%", "\x00", "\x7f", "\u2028", "\ufeff", "é", "🙂"),
        *("$patch", "-1", "1e9", "null", "true", "a.b.c/d", "{}", "~1", "0x", "9" * 20, "x" * 300),
    ]
) | st.text(max_size=12)
scalars = st.none() | st.booleans() | numbers | texts
names = st.sampled_from(
    [
        *("apiVersion", "kind", "metadata", "name", "namespace", "labels", "annotations"),
        *("finalizers", "ownerReferences", "managedFields", "resourceVersion", "uid"),
        *("generateName", "deletionTimestamp", "creationTimestamp", "generation"),
        *("spec", "status", "data", "replicas", "selector", "matchLabels", "template"),
        *("containers", "env", "ports", "image", "strategy", "rollingUpdate", "volumes"),
        *("$patch", "$retainKeys", "$setElementOrder/containers", "matchExpressions"),
        *("$deleteFromPrimitiveList/finalizers", "operator", "values", "key", "fieldsV1", ""),
    ]
) | st.text(max_size=5)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)

_kinds = st.sampled_from(
    [
        *(("v1", "ConfigMap"), ("apps/v1", "Deployment"), ("v1", "Secret"), ("v1", "Service")),
        *((("hanse.dev/v1alpha1", f"{kind}Policy")) for kind in ("Propagation", "Override")),
    ]
)


@st.composite
def _manifests(draw: st.DrawFn) -> dict[str, Any]:
    """An object of a known kind in which something is odd."""
    api_version, kind = draw(_kinds)
    metadata = {"name": draw(st.sampled_from(["a", "b"]))}
    metadata |= draw(st.dictionaries(names, values, max_size=3))
    parts = draw(st.dictionaries(names, values, max_size=3))
    if draw(st.booleans()):
        parts = {"spec": draw(st.dictionaries(names, values, max_size=5)), **parts}
    found = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **parts}
    if draw(st.booleans()):
        found |= {"apiVersion": api_version, "kind": kind, "metadata": metadata}
    return found


manifests = _manifests()


def _nested(start: bytes, end: bytes, depth: int) -> bytes:
    return start * depth + b"1" + end * depth


bodies: st.SearchStrategy[bytes] = st.one_of(
    st.binary(max_size=40),
    values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            *(b"", b" ", b"null", b"[]", b"{}", b'"x"', b"1e999", b"NaN", b"-Infinity", b"\xff"),
            *(b'"\\ud800"', b'{"a":1,"a":2}', b"\xef\xbb\xbf{}", b'{"a":"\x00"}', b"{" * 1_000),
            *(b"a: &a [*a]", b"a: !!python/name:os.system ''", b"a: 0b_", b"- 1\n---\n- 2"),
            *(b"a: {<<: 5}", b"\ta: 1", b"? [a]\n: b", b"%YAML 9.9\n---\na", b"k8s\x00\xff\xff"),
            *(b"9" * 5_000, b'{"a":' + b"9" * 5_000 + b"}"),
        ]
    ),
    st.builds(
        _nested,
        st.sampled_from([b"[", b'{"a":', b"- ", b"{a: "]),
        st.sampled_from([b"]", b"}", b""]),
        st.sampled_from([100, 199, 201, 400, 900, 20_000]),
    ),
)
