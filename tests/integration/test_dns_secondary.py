"""Debian's real BIND takes zones over from Hanse, and follows what changes."""

import asyncio
from pathlib import Path

from services.traffic.core.dns.clusterset import records_of
from services.traffic.core.dns.door import Served
from services.traffic.core.dns.networks import Networks
from services.traffic.core.dns.transfers import RECORDS_MAX
from services.traffic.core.dns.zone import NOTHING
from services.traffic.dns.notifying import Notifier
from tests.integration.bind9 import bind9, needs_named, until_answered
from tests.integration.dns_ground import KEY, server
from tests.unit.traffic.dns_server import clusterset, headless, service, texts

WEB = "web.shop.svc.clusterset.local"
NEW = "new.shop.svc.clusterset.local"
DB = "db.shop.svc.clusterset.local"
LOOPBACK = Networks([("127.0.0.0/8", True)])
MANY = {f"pod-{n}": [f"10.1.{n >> 8}.{n & 255}"] for n in range(300)}


def secondary_of(port: int, key: str) -> str:
    return f"""
zone "clusterset.local" {{
    type secondary; file "copy.db"; masterfile-format text;
    primaries {{ 127.0.0.1 port {port} {f'key "{key}"' if key else ""}; }};
    allow-notify {{ 127.0.0.1; }};
}};
"""


@needs_named
async def test_bind_takes_a_signed_zone_over_and_hears_of_changes(tmp_path: Path) -> None:
    zone = clusterset(service(ips=["10.42.42.42"]), headless(hosts={"eu-1": MANY}))
    name = str(KEY.name).rstrip(".")
    served = {zone.origin: Served(zone, secondaries=LOOPBACK, transfer_key=name)}
    async with (
        server(served) as port,
        bind9(tmp_path, secondary_of(port, name), "clusterset.local") as there,
        asyncio.TaskGroup() as tasks,
    ):
        answer = await until_answered(there, WEB, "A", lambda one: bool(one.answer))
        assert texts(answer) == ["10.42.42.42"]
        answer = await until_answered(there, DB, "A", lambda one: bool(one.answer))
        assert len(texts(answer)) == RECORDS_MAX

        notifier = Notifier({KEY.name: KEY})
        telling = tasks.create_task(notifier.run())
        zone.put({"shop/new": records_of(service("new", ips=["10.42.0.7"]), 5)}, 3)
        zone.put({"shop/web": NOTHING}, 4)
        # The refresh of the zone is minutes away: it comes because it was told to.
        notifier.tell(zone, (f"127.0.0.1:{there}",), name)
        answer = await until_answered(there, NEW, "A", lambda one: bool(one.answer))
        assert texts(answer) == ["10.42.0.7"]
        await until_answered(there, WEB, "A", lambda one: not one.answer)
        telling.cancel()
    # What was sent was what is new, and not everything again: a SOA at either end and two for each
    # step, and of each service an address and two names with its port.
    log = (tmp_path / "named.log").read_text()
    assert log.count("Transfer status: success") >= 2
    assert f"Transfer completed: 1 messages, {2 + 2 * 2 + 2 * 3} records" in log


@needs_named
async def test_bind_is_refused_where_it_is_a_stranger(tmp_path: Path) -> None:
    zone = clusterset(service(ips=["10.42.42.42"]))
    served = {zone.origin: Served(zone, secondaries=LOOPBACK, transfer_key="hanse-transfer")}
    elsewhere = f'zone "example.com" {{ type primary; file "{tmp_path}/example.db"; }};'
    (tmp_path / "example.db").write_text(
        "@ 60 IN SOA ns.example.com. h.example.com. 1 60 60 60 60\n@ 60 IN NS ns.example.com.\n"
        "ns 60 IN A 192.0.2.1\n"
    )
    async with server(served) as port:
        zones = elsewhere + secondary_of(port, "")
        async with bind9(tmp_path, zones, "example.com") as there:
            while "REFUSED" not in (tmp_path / "named.log").read_text():
                await asyncio.sleep(0.05)
            answer = await until_answered(there, WEB, "A", lambda _: True)
            assert not answer.answer
