"""What `bench.dns` asks: `python -m bench.dns_server KIND NAMES` prints its port.

It ends with its input. `hanse` is the server as traffic runs it, with so many services; `echo`
sends every packet back, the floor of sockets in Python; `dnspython` reads and writes answers with
that library.
"""

import asyncio
import random
import socket
import sys
from collections.abc import Callable, Mapping

import dns.message
import dns.rrset
import uvloop

from services.traffic.core.catalogue import (
    Endpoint,
    EndpointPort,
    Exporter,
    ImportedService,
    ServiceName,
    ServicePort,
)
from services.traffic.core.dns.answering import Answering
from services.traffic.core.dns.clusterset import clusterset_zone, records_of, source_of
from services.traffic.core.dns.door import Door, Request, Served
from services.traffic.dns.listening import Listener, Send
from shared.clock import SystemClock

HEADLESS_EVERY = 10
NAMESPACES = 100


def service_name(number: int) -> ServiceName:
    return ServiceName(f"team-{number % NAMESPACES}", f"service-{number}")


def _service(number: int) -> ImportedService:
    """Nine of ten with an address, the tenth headless with three endpoints in two clusters."""
    name, ports = service_name(number), (ServicePort(name="http", port=80),)
    if number % HEADLESS_EVERY:
        ip = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        return ImportedService(service=name, ports=ports, ips=(ip,))
    exporters = {
        cluster: Exporter(
            cluster=cluster,
            endpoints=tuple(
                Endpoint(
                    cluster=cluster,
                    addresses=(f"10.{200 + place}.{number >> 8 & 255}.{number & 255}",),
                    hostname=f"pet-{place}",
                    ports=(EndpointPort(name="http", port=8080),),
                )
                for place in places
            ),
        )
        for cluster, places in {"eu-1": (0, 1), "us-1": (2,)}.items()
    }
    return ImportedService(service=name, type="Headless", ports=ports, exporters=exporters)


def _served(names: int) -> Mapping[bytes, Served]:
    zone = clusterset_zone((), ttl=5, negative_ttl=5)
    services = [_service(number) for number in range(names)]
    zone.put({source_of(one.service): records_of(one, 5) for one in services}, serial=1)
    return {zone.origin: Served(zone)}


async def _refuse(_request: Request, _send: Send) -> None:
    return


async def _serve_hanse(names: int) -> None:
    door = Door(
        _served(names),
        Answering(draw=random.random),
        cluster_of=lambda _address: "",
        monotonic=SystemClock().monotonic,
    )
    async with Listener(door, _refuse).serve("127.0.0.1", 0) as port:
        await _until_told(port)


async def _serve_plainly(answer: Callable[[bytes], bytes]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        datagram.setblocking(False)
        datagram.bind(("127.0.0.1", 0))

        def read() -> None:
            for _ in range(64):
                try:
                    packet, sender = datagram.recvfrom(65_535)
                except BlockingIOError:
                    return
                datagram.sendto(answer(packet), sender)

        loop = asyncio.get_running_loop()
        loop.add_reader(datagram.fileno(), read)
        await _until_told(datagram.getsockname()[1])
        loop.remove_reader(datagram.fileno())


def _by_library(packet: bytes) -> bytes:
    """One and the same address for every name: the look-up is not what takes its time."""
    asked = dns.message.from_wire(packet)
    answer = dns.message.make_response(asked)
    name = asked.question[0].name
    answer.answer.append(dns.rrset.from_text(name, 5, "IN", "A", "10.0.0.1"))
    return answer.to_wire()


async def _until_told(port: int) -> None:
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    kind, count = sys.argv[1:]
    plainly: dict[str, Callable[[bytes], bytes]] = {"echo": bytes, "dnspython": _by_library}
    plain = plainly.get(kind)
    uvloop.run(_serve_plainly(plain) if plain else _serve_hanse(int(count)))
