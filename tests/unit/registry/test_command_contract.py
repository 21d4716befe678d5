"""How commands of other systems are read."""

import base64
import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import MalformedEvent
from shared.events import commands
from shared.events.commands import Apply, Delete, Scale, decode_command, read_envelope

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
HEADERS = {"ce-type": commands.APPLY, "ce-source": "ops", "ce-id": "1", "ce-specversion": "1.0"}


def encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


def test_one_manifest_several_or_a_list_object_may_be_applied() -> None:
    for data in (POD, [POD], {"kind": "List", "apiVersion": "v1", "items": [POD]}):
        assert decode_command(commands.APPLY, encoded(data)) == Apply(manifests=(POD,))


def test_delete_and_scale_name_an_object() -> None:
    address = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    deleted = decode_command(commands.DELETE, encoded(address))
    assert isinstance(deleted, Delete)
    assert deleted.gvk.group == "apps"
    scaled = decode_command(commands.SCALE, encoded(address | {"replicas": 3}))
    assert isinstance(scaled, Scale)
    assert scaled.replicas == 3


@pytest.mark.parametrize(
    ("event_type", "data"),
    [
        ("dev.hanse.commands.dance.v1", b"{}"),
        (commands.APPLY, b"not json"),
        (commands.APPLY, b"[]"),
        (commands.APPLY, b"[1]"),
        (commands.APPLY, b"\xff\xfe"),
        (commands.APPLY, b"[" * 100_000),
        (commands.APPLY, b'{"a":' * 300 + b"1" + b"}" * 300),
        (commands.SCALE, b'{"a":' * 100_000),
        (commands.DELETE, b'{"kind": "Pod"}'),
        (commands.SCALE, b'{"apiVersion": "v1", "kind": "Pod", "name": "p", "replicas": "3"}'),
    ],
)
def test_what_cannot_be_read_is_malformed(event_type: str, data: bytes) -> None:
    with pytest.raises(MalformedEvent):
        decode_command(event_type, data)


def test_binary_mode_has_its_attributes_in_headers() -> None:
    envelope, data = read_envelope(HEADERS, b"body")
    assert (envelope.type, envelope.source, envelope.id) == (commands.APPLY, "ops", "1")
    assert data == b"body"


def test_structured_mode_has_everything_in_the_body() -> None:
    headers = {"Content-Type": "application/cloudevents+json; charset=utf-8"}
    event = {"specversion": "1.0", "type": commands.APPLY, "source": "ops", "id": "1"}
    envelope, data = read_envelope(headers, encoded(event | {"data": POD}))
    assert envelope.id == "1"
    assert decode_command(envelope.type, data) == Apply(manifests=(POD,))

    coded = base64.b64encode(encoded(POD)).decode()
    _, data = read_envelope(headers, encoded(event | {"data_base64": coded}))
    assert msgspec.json.decode(data) == POD


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b""),
        ({**HEADERS, "ce-id": ""}, b""),
        ({**HEADERS, "ce-id": "x" * 300}, b""),
        ({**HEADERS, "ce-specversion": "9"}, b""),
        ({"content-type": "application/cloudevents+json"}, b"{"),
        ({"content-type": "application/cloudevents+json"}, b'{"data_base64": "?"}'),
    ],
)
def test_what_is_no_cloud_event_is_malformed(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        read_envelope(headers, body)


STRUCTURED = {"content-type": "application/cloudevents+json"}


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"data":' + b"[" * 100_000,
        b'{"type": "\xff"}',
        '{"data_base64": "é"}'.encode(),
        b'{"data_base64": "a"}',
        b'{"type": 5}',
        b"null",
    ],
)
def test_a_structured_event_that_cannot_be_read_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedEvent):
        read_envelope(STRUCTURED, body)


@given(st.sampled_from([commands.APPLY, commands.DELETE, commands.SCALE]), st.binary(max_size=80))
def test_no_bytes_are_worse_than_malformed(event_type: str, data: bytes) -> None:
    with contextlib.suppress(MalformedEvent):
        decode_command(event_type, data)
    with contextlib.suppress(MalformedEvent):
        read_envelope(STRUCTURED, data)
