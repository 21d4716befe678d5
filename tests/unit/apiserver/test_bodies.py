import contextlib
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import DEPTH_MAX
from shared.apiserver.requests.bodies import decode_object
from shared.apiserver.requests.duplicates import strict_faults
from shared.apiserver.requests.negotiation import APPLY_PATCH, JSON, YAML
from shared.apiserver.status_errors import ApiFault

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=5), values, max_size=4)


@given(objects)
def test_json_is_read_as_it_was_written(value):
    body = json.dumps(value).encode()
    assert decode_object(body, JSON) == value
    assert strict_faults(body, JSON, value) == []


def with_reals(inner):
    return st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)


reals = st.integers(-9, 9).map(float) | st.floats(allow_nan=False, allow_infinity=False)


@given(
    st.dictionaries(st.text(max_size=5), st.recursive(reals, with_reals, max_leaves=8)),
    st.sampled_from([None, 1]),
)
def test_whole_numbers_of_what_is_applied_lose_their_fraction(value, indent):
    read = decode_object(json.dumps(value, indent=indent).encode(), APPLY_PATCH)
    assert read == value
    assert not any(one.is_integer() and abs(one) < 1e21 for one in floats_in(read))


def floats_in(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (
        [value] if isinstance(value, float) else [one for each in inner for one in floats_in(each)]
    )


@given(objects)
def test_yaml_is_read_as_it_was_written(value):
    plain = json.loads(json.dumps(value))
    # Quoted, since PyYAML takes a plain `y` for text and Kubernetes for a truth.
    body = yaml.safe_dump(plain, allow_unicode=False, default_style='"').encode()
    try:
        read = decode_object(body, YAML)
    except ApiFault:
        # YAML has no form for some control characters and surrogates.
        return
    assert read == plain


@given(st.binary(max_size=60))
def test_no_bytes_break_the_reader(body):
    for media in (JSON, YAML, APPLY_PATCH):
        with contextlib.suppress(ApiFault):
            decode_object(body, media)


def test_yaml_dates_stay_text():
    assert decode_object(b"a: 2020-01-01\n2: true\ntrue: x\n", YAML) == {
        "a": "2020-01-01",
        "2": True,
        "true": "x",
    }


@pytest.mark.parametrize(
    ("body", "media", "fault"),
    [
        (b'{"a": {"x": 1, "x": 2}}', JSON, 'duplicate field "a.x"'),
        (b'{"a": ["{\\"q\\": 1}", {"x": 1, "x": 2}]}', JSON, 'duplicate field "a[1].x"'),
        (b"a:\n  x: 1\n  x: 2\n", YAML, 'line 3: key "x" already set in map'),
        (b"a: '* *'\nb: &b {x: 1}\nc: [*b, *b]\na: 2", YAML, 'line 4: key "a" already set in map'),
        (b'{"a": {"x": 1,\n "x": 2}}', APPLY_PATCH, 'line 2: key "x" already set in map'),
    ],
)
def test_fields_given_twice_are_found(body, media, fault):
    assert strict_faults(body, media, decode_object(body, media)) == [fault]


def test_text_that_looks_like_fields_is_none():
    body = json.dumps({"data": {"a": '{"x": 1, "x": 2}', "b": '"x": "x":'}}).encode()
    assert strict_faults(body, JSON, json.loads(body)) == []


def test_anchors_are_copied_within_reason():
    assert decode_object(b"a: &a {x: [1]}\nb: *a\n", YAML) == {"a": {"x": [1]}, "b": {"x": [1]}}


@pytest.mark.parametrize("media", [JSON, YAML, APPLY_PATCH])
@pytest.mark.parametrize(
    ("start", "end"), [(b'{"a":', b"}"), (b"[", b"]"), (b"{a: ", b"}"), (b"- ", b""), (b"? ", b"")]
)
@pytest.mark.parametrize("depth", [DEPTH_MAX + 2, 900, 4_000, 100_000])
def test_nothing_deep_is_read(media, start, end, depth):
    with pytest.raises(ApiFault) as caught:
        decode_object(b'{"x":' + start * depth + b"1" + end * depth + b"}", media)
    assert caught.value.code == 400
    with pytest.raises(ApiFault):
        decode_object(b"x:\n  " + start * depth + b"1" + end * depth, media)


def test_text_with_brackets_is_not_deep():
    body = json.dumps("[{" * 1_000).encode()
    for media in (JSON, YAML):
        with pytest.raises(ApiFault, match="must be an object"):
            decode_object(body, media)
        assert decode_object(b'{"a":' + body + b"}", media) == {"a": "[{" * 1_000}


@pytest.mark.parametrize(
    "scalar",
    [
        *("0b_", "0x_", "!!int abc", "!!int ''", "!!float x", "!!bool x", "!!timestamp x"),
        *('"\\ud800"', "9" * 5_000, "!!binary '***'", "!!set {a}", "{<<: 5}", "{? [a] : b}"),
    ],
)
def test_yaml_that_is_not_what_it_says_is_a_bad_request(scalar):
    with pytest.raises(ApiFault) as caught:
        decode_object(f"x: {scalar}\n".encode(), YAML)
    assert caught.value.code == 400


def test_yaml_has_short_words_for_truth():
    assert decode_object(b"{a: y, b: N, c: yes}", YAML) == {"a": True, "b": False, "c": True}
