"""What a GlobalZone may say."""

from typing import Any

import pytest

from shared.api.global_zone import GlobalZone
from shared.api.meta import read
from shared.apiserver.rules.global_zones import check_global_zone

SERVER = {"name": "ns1.example.com"}
# More than DNS can hold: of a label 63 characters, of a name 253.
LONG = "a" * 64
FULL = ".".join(["a" * 50] * 5)[:253]


def faults(**spec: Any) -> list[str]:
    whole = {"domain": "global.example.com", "nameServers": [SERVER], **spec}
    zone = read({"spec": whole}, GlobalZone)
    return [one.path.removeprefix("spec.") for one in check_global_zone(zone)]


def record(name: str, kind: str, *values: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "values": list(values)}


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"nameServers": [{"name": "ns.global.example.com", "addresses": ["203.0.113.7"]}]},
        {"contact": "dns.team@example.com", "namespaces": ["shop"], "clients": ["::/0"]},
        {"regions": [{"region": "eu", "networks": ["10.0.0.0/8", "2001:db8::/32"]}]},
        {"hosts": [{"host": "*.global.example.com", "ttlSeconds": 5, "addressesMax": 1}]},
        {"records": [record("@", "TXT", "v=1"), record("@", "A", "203.0.113.1")]},
        {"records": [record("_acme-challenge.shop", "TXT", "x"), record("*", "A", "192.0.2.1")]},
        {"records": [record("www", "CNAME", "lb.example.net")]},
        {"transfer": {"allow": ["203.0.113.0/24"], "key": "k", "notify": ["203.0.113.7:53"]}},
        {"update": {"server": "[2001:db8::7]:53", "key": "hanse-update"}},
        {"dnsEndpoints": {"labels": {"a": "b"}}},
        {"responsesPerSecond": 0},
    ],
)
def test_a_sane_zone_is_accepted(spec: dict[str, Any]) -> None:
    assert faults(**spec) == []


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"domain": ""}, "domain"),
        ({"domain": "Global.example.com"}, "domain"),
        ({"domain": "a..b"}, "domain"),
        ({"domain": f"{LONG}.com"}, "domain"),
        ({"domain": "*.example.com"}, "domain"),
        ({"domain": "clusterset.local"}, "domain"),
        ({"domain": "x.clusterset.local"}, "domain"),
        ({"nameServers": []}, "nameServers"),
        ({"nameServers": [{"name": "_"}]}, "nameServers[0].name"),
        ({"nameServers": [{"name": f"{LONG}.net"}]}, "nameServers[0].name"),
        ({"nameServers": [{"name": "ns.global.example.com"}]}, "nameServers[0].addresses"),
        ({"nameServers": [{**SERVER, "addresses": ["x"]}]}, "nameServers[0].addresses[0]"),
        ({"contact": "nobody"}, "contact"),
        ({"contact": f"dns@{FULL}"}, "contact"),
        ({"ttlSeconds": 0}, "ttlSeconds"),
        ({"ttlSeconds": 86_401}, "ttlSeconds"),
        ({"negativeTtlSeconds": 0}, "negativeTtlSeconds"),
        ({"addressesMax": 17}, "addressesMax"),
        ({"responsesPerSecond": -1}, "responsesPerSecond"),
        ({"namespaces": ["_"]}, "namespaces[0]"),
        ({"clients": ["10.0.0.0/33"]}, "clients[0]"),
        ({"regions": [{"region": "", "networks": ["10.0.0.0/8"]}]}, "regions[0].region"),
        ({"regions": [{"region": "eu", "networks": []}]}, "regions[0].networks"),
        ({"regions": [{"region": "eu", "networks": ["eu"]}]}, "regions[0].networks[0]"),
        (
            {"regions": [{"region": r, "networks": ["10.0.0.0/8"]} for r in ("eu", "us")]},
            "regions[1].networks[0]",
        ),
        ({"hosts": [{"host": "www.example.com"}]}, "hosts[0].host"),
        ({"hosts": [{"host": "a.global.example.com", "ttlSeconds": 0}]}, "hosts[0].ttlSeconds"),
        ({"hosts": [{"host": "a.global.example.com"}] * 2}, "hosts[1].host"),
        ({"records": [record("a b", "A", "192.0.2.1")]}, "records[0].name"),
        ({"records": [record(f"_{LONG[1:]}", "A", "192.0.2.1")]}, "records[0].name"),
        ({"records": [record("www", "CNAME", f"{LONG}.com")]}, "records[0].values[0]"),
        ({"records": [record("a", "A")]}, "records[0].values"),
        ({"records": [record("a", "A", "::1")]}, "records[0].values[0]"),
        ({"records": [record("a", "AAAA", "x")]}, "records[0].values[0]"),
        ({"records": [record("a", "TXT", "x" * 256)]}, "records[0].values[0]"),
        ({"records": [record("@", "CNAME", "b.example.com")]}, "records[0].type"),
        ({"records": [record("a", "CNAME", "b.example.com", "c.example.com")]}, "records[0].type"),
        (
            {"records": [record("a", "CNAME", "b.example.com"), record("a", "A", "192.0.2.1")]},
            "records[1].type",
        ),
        ({"records": [record("a", "A", "192.0.2.1")] * 2}, "records[1]"),
        ({"transfer": {"allow": []}}, "transfer.allow"),
        ({"transfer": {"allow": ["0/0/0"]}}, "transfer.allow[0]"),
        ({"transfer": {"allow": ["::/0"], "notify": ["ns1:53"]}}, "transfer.notify[0]"),
        ({"update": {"server": "203.0.113.7", "key": "k"}}, "update.server"),
        ({"update": {"server": "203.0.113.7:53", "key": ""}}, "update.key"),
        ({"update": {"server": "203.0.113.7:99999", "key": "k"}}, "update.server"),
    ],
)
def test_what_could_never_hold_is_refused_at_its_field(spec: dict[str, Any], path: str) -> None:
    assert path in faults(**spec)
