"""Protobuf as typed Go clients write it: built here byte by byte."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apiserver.requests.wire import decode_protobuf
from shared.apiserver.status_errors import ApiFault


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def chunk(field: int, *parts: bytes | str) -> bytes:
    body = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    return varint(field << 3 | 2) + varint(len(body)) + body


def unknown(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + chunk(1, chunk(1, api_version), chunk(2, kind)) + chunk(2, raw)


def metadata(name: str) -> bytes:
    # Go writes the zero of every plain field, and an empty time.
    return chunk(1, chunk(1, name), chunk(2, ""), chunk(3, ""), number(7, 0), chunk(8, b""))


def test_a_config_map_is_read():
    body = unknown("v1", "ConfigMap", metadata("a") + chunk(2, chunk(1, "k"), chunk(2, "v")))
    assert decode_protobuf(body) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a"},
        "data": {"k": "v"},
    }


def test_a_zero_behind_a_pointer_is_kept():
    spec = chunk(2, number(1, 0), chunk(3, metadata("")), number(5, 0))
    found = decode_protobuf(unknown("apps/v1", "Deployment", metadata("web") + spec))
    assert found["spec"]["replicas"] == 0
    assert "minReadySeconds" not in found["spec"]


def test_a_secret_holds_base64():
    body = unknown("v1", "Secret", metadata("s") + chunk(2, chunk(1, "k"), chunk(2, b"\x00\xff")))
    assert decode_protobuf(body)["data"] == {"k": "AP8="}


def test_ports_quantities_and_selectors_have_their_own_forms():
    port_by_name = chunk(4, number(1, 1), number(2, 0), chunk(3, "http"))
    port_by_number = chunk(4, number(1, 0), number(2, 8080))
    ports = chunk(1, chunk(1, "a"), number(3, 80), port_by_name)
    ports += chunk(1, chunk(1, "b"), number(3, 81), port_by_number)
    found = decode_protobuf(unknown("v1", "Service", metadata("s") + chunk(2, ports)))
    assert [port["targetPort"] for port in found["spec"]["ports"]] == ["http", 8080]

    hard = chunk(1, chunk(1, "cpu"), chunk(2, chunk(1, "500m")))
    quota = decode_protobuf(unknown("v1", "ResourceQuota", metadata("q") + chunk(2, hard)))
    assert quota["spec"] == {"hard": {"cpu": "500m"}}


def test_negative_numbers_and_times_are_read():
    # ObjectMeta: generation -1, deletionTimestamp one day after the epoch.
    raw = chunk(1, chunk(1, "a"), number(7, -1), chunk(9, number(1, 86_400)))
    found = decode_protobuf(unknown("v1", "ConfigMap", raw))
    assert found["metadata"]["generation"] == -1
    assert found["metadata"]["deletionTimestamp"] == "1970-01-02T00:00:00Z"


def test_json_within_the_envelope_is_read():
    body = unknown("v1", "ConfigMap", b'{"kind":"ConfigMap"}') + chunk(4, "application/json")
    assert decode_protobuf(body) == {"kind": "ConfigMap"}


def test_unknown_fields_are_left_out():
    body = unknown("v1", "ConfigMap", metadata("a") + chunk(99, "new"))
    assert "metadata" in decode_protobuf(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nope",
        b"k8s\x00\xff\xff",
        unknown("v1", "Nonsense", b""),
        unknown("v1", "ConfigMap", b"\x0a\xff"),
        unknown("v1", "ConfigMap", number(1, 5)),
        unknown("v1", "ConfigMap", b"\x0f"),
    ],
)
def test_what_is_no_message_is_a_bad_request(body):
    with pytest.raises(ApiFault) as fault:
        decode_protobuf(body)
    assert fault.value.code == 400


@given(st.binary(max_size=80), st.sampled_from(["ConfigMap", "Pod", "Secret", "Service"]))
def test_no_bytes_break_the_decoder(raw, kind):
    with contextlib.suppress(ApiFault):
        decode_protobuf(unknown("v1", kind, raw))


def test_a_definition_has_its_schema():
    field = chunk(5, "integer") + chunk(11, struct.pack("<d", 5.0)) + chunk(20, chunk(1, "7"))
    either = chunk(24, chunk(1, chunk(5, "string"))) + chunk(30, number(1, 1))
    limits = chunk(30, number(1, 0) + chunk(2, chunk(5, "boolean"))) + chunk(8, chunk(1, "{}"))
    schema = (
        chunk(5, "object")
        + chunk(29, chunk(1, "size"), chunk(2, field))
        + chunk(29, chunk(1, "either"), chunk(2, either))
        + chunk(29, chunk(1, "limits"), chunk(2, limits))
    )
    version = chunk(1, "v1") + number(2, 1) + number(3, 1) + chunk(4, chunk(1, schema))
    names = chunk(1, "boats") + chunk(4, "Boat")
    spec = chunk(1, "sea.example") + chunk(3, names) + chunk(4, "Namespaced") + chunk(7, version)
    body = unknown(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", metadata("b") + chunk(2, spec)
    )
    found = decode_protobuf(body)["spec"]
    assert found["names"] == {"plural": "boats", "kind": "Boat"}
    (served,) = found["versions"]
    assert served["schema"]["openAPIV3Schema"]["properties"] == {
        "size": {"type": "integer", "minimum": 5, "enum": [7]},
        "either": {"items": {"type": "string"}, "additionalProperties": True},
        "limits": {"additionalProperties": {"type": "boolean"}, "default": {}},
    }
