"""Questions of DNS per second of one core, beside an echo of packets and beside dnspython.

The server is a process of its own. As many questions as `--at-once` are under way over one socket;
then they come at a fixed rate, each timed from the moment it was due. What a core would do is
reckoned from the processor time of the server, for on a busy machine it has not all of one.
"""

import argparse
import random
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import dns.message

from bench.dns_server import HEADLESS_EVERY, service_name
from bench.processes import cpu_seconds, memory_mebibytes
from bench.rates import Rate

_LOST_SECONDS = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--names", type=int, default=10_000, metavar="N", help="services")
    parser.add_argument("--questions", type=int, default=60_000, metavar="N")
    parser.add_argument("--at-once", type=int, default=32, metavar="N")
    parser.add_argument("--rate", type=int, default=2_000, metavar="N", help="per second, then")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    questions = _questions(arguments.names)
    figures: dict[str, Any] = {"names": arguments.names}
    for kind, count in (
        ("hanse", arguments.questions),
        ("echo", arguments.questions),
        ("dnspython", arguments.questions // 10),
    ):
        with _server(kind, arguments.names) as server:
            before = cpu_seconds(server.pid)
            rate = server.closed(questions, count, arguments.at_once)
            core = cpu_seconds(server.pid) - before
            figures |= rate.figures(f"dns_{kind}")
            figures[f"dns_{kind}_per_core_second"] = round(count / max(core, 0.01))
            if kind == "hanse":
                steady = server.open(questions, arguments.rate * 3, arguments.rate)
                figures |= steady.figures("dns_hanse_steady")
                figures["dns_memory_mebibytes"] = memory_mebibytes(server.pid)
                figures["dns_lost"] = server.lost
    return figures


def rows(figures: dict[str, Any]) -> list[tuple[str, str, str]]:
    def of(name: str) -> str:
        return f"{figures[name]:,}"

    library = of("dns_dnspython_per_core_second")
    floor = f"{of('dns_echo_per_core_second')} echoed, {library} by dnspython"
    return [
        (
            f"DNS questions per second of one core, {of('names')} services",
            of("dns_hanse_per_core_second"),
            floor,
        ),
        (
            "DNS questions per second, as measured",
            of("dns_hanse_per_second"),
            of("dns_echo_per_second"),
        ),
        (
            "the same: p99 with all at once (ms)",
            of("dns_hanse_p99_ms"),
            of("dns_echo_p99_ms"),
        ),
        (
            f"DNS at {of('dns_hanse_steady_per_second')} per second: p50 / p99 (ms)",
            f"{of('dns_hanse_steady_p50_ms')} / {of('dns_hanse_steady_p99_ms')}",
            "",
        ),
        ("memory of that process (MiB)", of("dns_memory_mebibytes"), ""),
    ]


def _questions(names: int) -> list[bytes]:
    """Of every sort: addresses, of both families, of ports, of hosts, and of nothing."""
    dice = random.Random(1)  # noqa: S311 - dice.
    found = []
    for number in range(names):
        namespace, name = reversed(service_name(number))
        base = f"{namespace}.{name}.svc.clusterset.local"
        sort = dice.random()
        asked, kind = base, "A"
        if sort < 0.2:
            kind = "AAAA"
        elif sort < 0.3:
            asked, kind = f"_http._tcp.{base}", "SRV"
        elif sort < 0.35:
            asked = f"gone.{base}"
        elif sort < 0.4 and not number % HEADLESS_EVERY:
            asked = f"pet-0.eu-1.{base}"
        found.append(dns.message.make_query(asked, kind, use_edns=sort > 0.5).to_wire())
    dice.shuffle(found)
    return found


@dataclass
class _Server:
    pid: int
    port: int
    lost: int = 0

    def closed(self, questions: list[bytes], count: int, at_once: int) -> Rate:
        seconds: list[float] = []
        began = perf_counter()
        with _socket(self.port) as asking:
            sent: dict[int, float] = {}
            number = 0
            while len(seconds) + self.lost < count:
                while len(sent) < at_once and number < count:
                    self._send(asking, questions, number, sent)
                    number += 1
                if not self._receive(asking, sent, seconds, _LOST_SECONDS):
                    self.lost += len(sent)
                    sent.clear()
        return Rate.of(seconds, perf_counter() - began)

    def open(self, questions: list[bytes], count: int, per_second: int) -> Rate:
        seconds: list[float] = []
        began = perf_counter()
        with _socket(self.port) as asking:
            sent: dict[int, float] = {}
            number = 0
            while number < count or sent:
                now = perf_counter()
                while number < count and began + number / per_second <= now:
                    self._send(asking, questions, number, sent, began + number / per_second)
                    number += 1
                wait = began + number / per_second - perf_counter()
                left = max(0.0, wait) if number < count else _LOST_SECONDS
                if not self._receive(asking, sent, seconds, left) and number >= count:
                    self.lost += len(sent)
                    break
        return Rate.of(seconds, perf_counter() - began)

    @staticmethod
    def _send(
        asking: socket.socket,
        questions: list[bytes],
        number: int,
        sent: dict[int, float],
        due: float | None = None,
    ) -> None:
        mark = number % 65_536
        asking.send(mark.to_bytes(2) + questions[number % len(questions)][2:])
        sent[mark] = perf_counter() if due is None else due

    @staticmethod
    def _receive(
        asking: socket.socket, sent: dict[int, float], seconds: list[float], wait: float
    ) -> bool:
        """Take what there is by now; whether there was anything within *wait* seconds."""
        if not select.select([asking], [], [], wait)[0]:
            return False
        while True:
            try:
                answer = asking.recv(65_535)
            except BlockingIOError:
                return True
            began = sent.pop(int.from_bytes(answer[:2]), None)
            if began is not None:
                seconds.append(perf_counter() - began)


@contextmanager
def _socket(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("127.0.0.1", port))
        asking.setblocking(False)
        yield asking


@contextmanager
def _server(kind: str, names: int) -> Iterator[_Server]:
    command = [sys.executable, "-m", "bench.dns_server", kind, str(names)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield _Server(process.pid, int(process.stdout.readline()))
        process.stdin.close()
