"""Endpoints of other members are tried from within, and what came of it is told once."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

from services.propagator.apply.exports.reach import ReachLook, targets_of
from shared.apimachinery.manifest import Manifest
from shared.memberapi.port import MemberListing, ResourceType

SOURCE = "multicluster.kubernetes.io/source-cluster"


def a_slice(cluster: str, address: str, port: int, **more: Any) -> Manifest:
    return {
        "metadata": {"name": f"web-{cluster}", "labels": {SOURCE: cluster}},
        "addressType": "IPv4",
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [address], **more}],
    }


class Member:
    """As much of a `MemberApi` as is called."""

    def __init__(self, *slices: Manifest) -> None:
        self.slices = slices

    async def list(self, _kind: ResourceType, **_options: Any) -> MemberListing:
        return MemberListing(self.slices, "1")


async def test_who_listens_or_refuses_was_reached_and_who_is_silent_was_not() -> None:
    with socket.socket() as deaf:
        # Nobody takes connections from a queue that is full.
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        full = [socket.socket() for _ in range(4)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            closed = unused.getsockname()[1]
        member = Member(
            a_slice("eu", "127.0.0.1", server.sockets[0].getsockname()[1]),
            a_slice("us", "127.0.0.1", closed),
            a_slice("ap", "127.0.0.1", deaf.getsockname()[1]),
            a_slice("me", "127.0.0.1", closed),
        )
        told: list[int] = []
        measured: dict[str, float] = {}

        async def take(found: Mapping[str, float]) -> None:
            measured.update(found)

        look = ReachLook("me", member, lambda: told.append(1), take, patience=0.1)  # type: ignore[arg-type]
        await look.look()
        await look.look()
        server.close()
        await server.wait_closed()
        for one in full:
            one.close()
    assert look.found.keys() == {"eu", "us", "ap"}
    assert (look.found["eu"], look.found["us"]) == ("", "")
    assert look.found["ap"].endswith("does not answer")
    assert told == [1]
    # Who refused answered as well.
    assert measured.keys() == {"eu", "us"}
    assert all(0 < took < 100 for took in measured.values())


def test_only_what_is_ready_and_speaks_tcp_is_tried() -> None:
    assert targets_of([a_slice("eu", "10.1.0.1", 80, conditions={"ready": False})]) == {}
    assert targets_of([{**a_slice("eu", "10.1.0.1", 80), "ports": [{"port": 1}]}]) == {
        "eu": ("10.1.0.1", 1)
    }
    assert targets_of([{**a_slice("eu", "10.1.0.1", 80), "ports": None}]) == {}
    assert targets_of([{**a_slice("eu", "a.example", 80), "addressType": "FQDN"}]) == {}
