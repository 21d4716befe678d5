"""Documents inside texts: JSON and YAML as ConfigMaps and Secrets hold them."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.propagator.core.overriders.fields import write_json, write_yaml
from shared.apiserver.requests.bodies import decode_body
from tests.overriding import a_config_map, changed, failure


def field(language: str, *operations: Any, path: str = "/data/c") -> dict[str, Any]:
    return {"fieldOverrider": [{"fieldPath": path, language: list(operations)}]}


def op(operator: str, sub_path: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"operator": operator, "subPath": sub_path, "value": value, **more}


def test_json_is_changed_in_place() -> None:
    text = '{"b": {"x": 1}, "a": ["one"], "c/d": true}'
    found = changed(
        a_config_map(c=text),
        **field(
            "json",
            op("replace", "/b/x", 5),
            op("add", "/a/-", {"at": "${cluster.region}"}),
            op("remove", "/c~1d"),
            op("move", "/e", **{"from": "/b"}),
            op("test", "/e/x", 5),
        ),
    )
    assert found["data"]["c"] == '{"a":["one",{"at":"europe"}],"e":{"x":5}}'


def test_yaml_keeps_the_order_of_its_fields() -> None:
    text = "server:\n  name: web # the name\n  80: http\n  location /:\n    root: /a\nlist: [1]\n"
    found = changed(
        a_config_map(c=text),
        **field(
            "yaml",
            op("replace", "/server/location ~1/root", "/b"),
            op("replace", "/server/80", "https"),
            op("add", "/list/-", "${cluster.name}"),
        ),
    )
    assert found["data"]["c"] == (
        "server:\n  name: web\n  '80': https\n  location /:\n    root: /b\nlist:\n- 1\n- eu-1\n"
    )


def test_a_whole_document_may_be_replaced() -> None:
    found = changed(a_config_map(c="1"), **field("yaml", op("replace", "", ["a"])))
    assert found["data"]["c"] == "- a\n"


@pytest.mark.parametrize(("kind", "path"), [("Secret", "/data/c"), ("ConfigMap", "/binaryData/c")])
def test_what_is_written_in_base64_is_decoded_and_encoded(kind: str, path: str) -> None:
    part = path.split("/")[1]
    text = base64.b64encode(b'{"a":1}').decode()
    manifest = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "s"}, part: {"c": text}}
    found = changed(manifest, **field("json", op("replace", "/a", 2), path=path))
    assert base64.b64decode(found[part]["c"]) == b'{"a":2}'
    manifest[part] = {"c": "no base64"}
    assert "is not base64" in failure(manifest, **field("json", op("remove", "/a"), path=path))


@pytest.mark.parametrize(
    ("language", "text", "why"),
    [
        ("json", "secret: yaml", "does not hold one document of JSON"),
        ("json", "", "does not hold"),
        ("json", "[" * 5000 + "]" * 5000, "does not hold"),
        ("yaml", "a: 1\n---\nsecret: 2\n", "does not hold one document of YAML"),
        ("yaml", "a: [secret", "does not hold"),
        ("yaml", "", "does not hold"),
        ("yaml", "a: &x [1]\nb: !!python/object:os.system {}\n", "does not hold"),
        ("yaml", "a: &a [x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a]\n" for n in range(600)), "not"),
        ("yaml", "{}", "yaml[0]: replace of '/a': nothing is at '/a'"),
    ],
)
def test_a_text_that_does_not_hold_what_it_should_is_told(
    language: str, text: str, why: str
) -> None:
    message = failure(a_config_map(c=text), **field(language, op("replace", "/a", 1)))
    assert message.startswith("overrideRules[0]: fieldOverrider[0]: ")
    assert why in message
    assert "secret" not in message


def test_what_is_no_text_or_not_there_is_told() -> None:
    assert "nothing is at '/data/x'" in failure(
        a_config_map(), **field("json", op("remove", "/a"), path="/data/x")
    )
    assert "is not a text" in failure(
        a_config_map(c=""), **field("json", op("remove", "/a"), path="/data")
    )


documents = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(
        ["y", "no", "1e3", "0o7", "2020-01-01", "~", "1_0", "0x1", "=", "<<", "null"]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(["y", "1", "null"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(documents)
def test_what_is_written_reads_the_same(document: Any) -> None:
    written = write_yaml({"a": document})
    assert decode_body(written, "application/yaml") == {"a": document}
    assert json.loads(write_json(document)) == document
