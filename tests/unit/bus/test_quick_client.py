"""Headers as nats-py itself writes and reads them, in one go."""

import nats.errors
import pytest

from shared.bus.jetstream.quick_client import QuickClient, encode_headers


async def read(block: bytes) -> dict[str, str] | None:
    return await QuickClient()._process_headers(block)


async def test_headers_come_back_as_they_were_sent():
    headers = {
        "ce-type": "dev.hanse.work.applied.v1",
        "Nats-TTL": "2",
        "é".encode().hex(): "Übersee",
    }
    assert await read(encode_headers(headers)) == headers


def test_a_header_is_one_line():
    block = encode_headers({" Name ": " two\r\nlines: here "})
    assert block == b"NATS/1.0\r\nName: two  lines: here\r\n\r\n"


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nb", "größe"])
def test_a_name_that_is_none_is_refused(name: str):
    with pytest.raises(nats.errors.BadHeaderError):
        encode_headers({name: "x"})


async def test_a_status_and_its_headers_are_told_apart():
    block = b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 7\r\n\r\n"
    found = {"Status": "100", "Description": "Idle Heartbeat", "Nats-Last-Consumer": "7"}
    assert await read(block) == found


async def test_a_line_that_is_no_header_is_passed_over():
    block = b"NATS/1.0\r\nA: 1\r\nno header\r\nB b: 2\r\n\xff: 3\r\nC: \xff\r\n\r\n"
    assert await read(block) == {"A": "1", "C": "\ufffd"}
