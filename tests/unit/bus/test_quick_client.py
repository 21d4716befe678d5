"""What nats-py itself would write and read, in one go."""

import asyncio

import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.bus.jetstream.quick_client import QuickClient, QuickParser, encode_headers


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


class Listening(QuickClient):
    """A client with one subscription, fed by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Msg] = []
        self.others: list[tuple[object, ...]] = []
        self.errors: list[Exception] = []
        self.pings = 0
        self._receivers[7] = self.heard.append
        self._error_cb = self._on_error

    async def _process_msg(self, *message: object) -> None:
        self.others.append(message)

    async def _process_ping(self) -> None:
        self.pings += 1

    async def _on_error(self, err: Exception) -> None:
        self.errors.append(err)


HEADERS = encode_headers({"Nats-Sequence": "5"})
WIRE = b"".join(
    (
        b"MSG a.b 7 5\r\nhello\r\n",
        b"PING\r\n",
        b"MSG a.c 7 $JS.ACK.x 0\r\n\r\n",
        b"HMSG a.d 7 reply %d %d\r\n" % (len(HEADERS), len(HEADERS) + 8),
        HEADERS + b"MSG 1 2\r\r\n",
        b"HMSG a.e 8 %d %d\r\n" % (len(HEADERS), len(HEADERS)),
        HEADERS + b"\r\n",
        b"+OK\r\n",
    )
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 20, 64, len(WIRE)])
async def test_messages_arrive_whole_however_the_wire_cuts_them(size: int):
    client = Listening()
    parser = QuickParser(client)
    for begin in range(0, len(WIRE), size):
        await parser.parse(WIRE[begin : begin + size])
    assert [(one.subject, one.reply, one.data, one.headers) for one in client.heard] == [
        ("a.b", "", b"hello", None),
        ("a.c", "$JS.ACK.x", b"", None),
        ("a.d", "reply", b"MSG 1 2\r", {"Nats-Sequence": "5"}),
    ]
    assert client.others == [(8, b"a.e", b"", b"", HEADERS)]
    assert client.pings == 1


async def test_what_belonged_to_a_lost_connection_is_not_read_into_the_next():
    client = Listening()
    parser = QuickParser(client)

    def lose(message: Msg) -> None:
        client.heard.append(message)
        parser.reset()

    client._receivers[7] = lose
    await parser.parse(b"MSG a 7 1\r\nx\r\nMSG b 7 9\r\nhal")
    client._receivers[7] = client.heard.append
    await parser.parse(b"MSG c 7 1\r\ny\r\n")
    assert [one.subject for one in client.heard] == ["a", "c"]


async def test_a_receiver_that_fails_is_told_of_and_the_rest_is_read():
    client = Listening()
    parser = QuickParser(client)
    client._receivers[9] = lambda message: message.headers["missing"]
    await parser.parse(b"MSG a 9 1\r\nx\r\nMSG b 7 1\r\ny\r\n")
    assert [type(err) for err in client.errors] == [TypeError]
    assert [one.subject for one in client.heard] == ["b"]


@pytest.mark.parametrize("subject", ["", "a b", "a\r\nPUB b  0", "a\tb"])
async def test_a_subject_that_would_hold_commands_is_refused(subject: str):
    client = QuickClient()
    client._status, client._max_pending_size = Client.CONNECTED, 1000
    client._flusher_task = asyncio.ensure_future(asyncio.sleep(60))
    try:
        for place in ((subject, "x"), ("x", subject or "a b")):
            with pytest.raises(nats.errors.BadSubjectError):
                client.post(place[0], b"", place[1], None)
        assert not client._pending
    finally:
        client._flusher_task.cancel()
