"""Where hosts of traffic policies lead: by share, by region, by standing; and what is amiss."""

import itertools
from collections import Counter
from collections.abc import Mapping
from typing import Any

import dns.edns
import dns.message
import dns.rcode
from hypothesis import given, settings
from hypothesis import strategies as st

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.dns.global_names import GlobalNames
from services.traffic.core.dns.global_zone import accept, new_zone
from services.traffic.core.dns.hosts import SplitHost, Target, luck_of
from services.traffic.core.dns.networks import Networks, packed
from services.traffic.core.dns.records import A, addresses
from services.traffic.core.dns.zone import Asker, Zone
from shared.api.global_zone import GlobalZone
from shared.api.meta import read
from shared.api.traffic_policy import TrafficPolicy
from tests.unit.traffic.dns_server import ask, door_to, texts

DOMAIN = "global.example.com"
HOST = f"shop.{DOMAIN}"
NOWHERE = "neither spec.gateways of shop/shop nor a load balancer of its members says where"
GATEWAYS = {"eu-1": ["203.0.113.1:443"], "us-1": ["198.51.100.1:443", "[2001:db8::1]:443"]}
REGIONS = [
    {"region": "eu", "networks": ["10.1.0.0/16", "2001:db8:1::/48"]},
    {"region": "us", "networks": ["10.2.0.0/16"]},
]


def zone_object(name: str = "world", **spec: Any) -> GlobalZone:
    servers = [{"name": f"ns.{DOMAIN}", "addresses": ["192.0.2.53"]}]
    whole = {"domain": DOMAIN, "nameServers": servers, "regions": REGIONS, **spec}
    return read({"metadata": {"name": name}, "spec": whole}, GlobalZone)


def policy(
    name: str = "shop",
    namespace: str = "shop",
    *,
    hosts: tuple[str, ...] = (HOST,),
    gateways: Mapping[str, list[str]] = GATEWAYS,
    splits: Mapping[str, Mapping[str, int]] | None = None,
    created: str = "2026-01-01T00:00:00Z",
    **spec: Any,
) -> TrafficPolicy:
    found = {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": created},
        "spec": {
            "service": "shop",
            "hosts": list(hosts),
            "gateways": [{"cluster": c, "addresses": a} for c, a in gateways.items()],
            **spec,
        },
        "status": {
            "splits": [
                {"region": region, "clusters": [{"name": c, "share": s} for c, s in split.items()]}
                for region, split in (splits or {}).items()
            ]
        },
    }
    return read(found, TrafficPolicy)


class World:
    """Zones as the shell keeps them."""

    def __init__(self, *zones: GlobalZone) -> None:
        self.names = GlobalNames()
        self.zones: dict[str, Zone] = {}
        self._serial = itertools.count(1)
        for zone in zones or (zone_object(),):
            self.put_zone(zone)

    def put_zone(self, zone: GlobalZone) -> None:
        self.zones[zone.spec.domain] = new_zone(zone.spec)
        self.names.put_zone(zone)
        self.settle()

    def settle(self) -> None:
        for domain, said in self.names.collect().items():
            self.zones[domain].put(said, next(self._serial))

    def put(self, *policies: TrafficPolicy) -> None:
        for one in policies:
            self.names.put_policy(one)
        self.settle()

    def told(self, host: str = HOST, *, draw: float = 0.0, **query: Any) -> list[str]:
        return texts(ask(door_to(*self.zones.values(), draw=draw), host, **query))

    def amiss(self, domain: str = DOMAIN) -> list[str]:
        return [f"{one.host}: {one.why}" for one in self.names.amiss(domain)]


def shares_of(world: World, draws: int = 200, **query: Any) -> Counter[str]:
    found = Counter(one for n in range(draws) for one in world.told(draw=n / draws, **query))
    return Counter({ip: round(count * 100 / draws) for ip, count in found.items()})


def test_answers_follow_the_shares() -> None:
    world = World()
    world.put(policy(splits={"": {"eu-1": 7_500, "us-1": 2_500}}))
    assert shares_of(world) == {"203.0.113.1": 75, "198.51.100.1": 25}
    # Of the one family there is one cluster only, and it takes all who ask for that.
    assert shares_of(world, kind="AAAA") == {"2001:db8::1": 100}
    assert world.amiss() == []


def test_who_asks_from_a_region_is_told_what_holds_there() -> None:
    world = World()
    splits = {"": {"eu-1": 1, "us-1": 1}, "eu": {"eu-1": 10_000}, "us": {"us-1": 10_000}}
    world.put(policy(splits=splits))
    near = {"10.1.2.3": "203.0.113.1", "10.2.2.3": "198.51.100.1"}
    for asker, told in near.items():
        assert set(shares_of(world, draws=20, address=packed(asker))) == {told}
        # What a resolver tells of its asker outweighs where the resolver is.
        option = dns.edns.ECSOption(asker, 24)
        answer = ask(
            door_to(*world.zones.values()), HOST, address=packed("10.2.9.9"), options=[option]
        )
        assert texts(answer) == [told]
        assert [one.scopelen for one in answer.options] == [24]
    assert len(shares_of(world, draws=20, address=packed("192.0.2.1"))) == 2
    assert set(shares_of(world, draws=20, address=packed("2001:db8:1::9"))) == {"203.0.113.1"}


def test_nobody_is_sent_to_a_member_that_is_lost_and_all_are_where_all_are_lost() -> None:
    world = World()
    world.put(policy(splits={"": {"eu-1": 9_999, "us-1": 1}, "eu": {"eu-1": 10_000}}))
    world.names.set_lost(["eu-1"])
    world.settle()
    assert set(shares_of(world, draws=100)) == {"198.51.100.1"}
    assert set(shares_of(world, draws=100, address=packed("10.1.0.1"))) == {"198.51.100.1"}

    world.names.set_lost(["eu-1", "us-1"])
    world.settle()
    assert set(shares_of(world, draws=100)) == {"203.0.113.1", "198.51.100.1"}
    assert world.amiss() == [f"{HOST}: no cluster of shop/shop takes traffic"]

    world.names.set_lost([])
    world.settle()
    assert world.amiss() == []


def test_a_zone_may_prefer_to_say_nothing_where_nobody_is_ready() -> None:
    world = World(zone_object(whenNobodyIsReady="AnswerNothing"))
    world.put(policy(splits={"": {"eu-1": 0, "us-1": 0}}))
    answer = ask(door_to(*world.zones.values()), HOST)
    assert (answer.rcode(), answer.answer) == (dns.rcode.NXDOMAIN, [])
    assert answer.authority[0].ttl == 10


def test_without_a_split_yet_all_gateways_take_part() -> None:
    world = World()
    world.put(policy())
    assert shares_of(world) == {"203.0.113.1": 50, "198.51.100.1": 50}


def test_ttl_and_how_many_addresses_are_the_zones_or_the_hosts() -> None:
    many = {"eu-1": [f"203.0.113.{n}:443" for n in range(1, 9)]}
    world = World(zone_object(ttlSeconds=60, addressesMax=2))
    world.put(policy(gateways=many))
    answer = ask(door_to(*world.zones.values()), HOST)
    assert (answer.answer[0].ttl, len(answer.answer[0])) == (60, 2)

    world.put_zone(zone_object(hosts=[{"host": HOST, "ttlSeconds": 5, "addressesMax": 3}]))
    answer = ask(door_to(*world.zones.values()), HOST)
    assert (answer.answer[0].ttl, len(answer.answer[0])) == (5, 3)


def test_a_gateway_with_a_name_is_another_name_for_the_host() -> None:
    world = World()
    gateways = {"eu-1": ["lb.eu.example.net:443"], "us-1": ["198.51.100.1:443"]}
    world.put(policy(gateways=gateways, splits={"": {"eu-1": 1, "us-1": 1}}))
    assert shares_of(world) == {"lb.eu.example.net.": 50, "198.51.100.1": 50}
    assert world.told(kind="AAAA", draw=0.0) == ["lb.eu.example.net."]
    assert world.told(kind="AAAA", draw=0.9) == []


def test_neither_the_domain_itself_nor_its_own_target_is_another_name() -> None:
    world = World()
    gateways = {"eu-1": ["lb.example.net:443"], "us-1": ["203.0.113.7:443"]}
    world.put(policy(hosts=(DOMAIN,), gateways=gateways))
    assert world.told(DOMAIN) == world.told(DOMAIN, draw=0.99) == ["203.0.113.7"]
    why = f"{DOMAIN}: it cannot be another name for where shop/shop has it lead in eu-1"
    assert any(one.startswith(why) for one in world.amiss())

    world.put(policy(gateways={"eu-1": [f"{HOST}:443"]}))
    assert world.told(HOST) == []
    [found] = world.amiss()
    assert "it cannot be another name" in found


def test_a_wildcard_speaks_for_names_that_there_are_not() -> None:
    world = World(zone_object(records=[{"name": "www", "type": "TXT", "values": ["here"]}]))
    world.put(policy(hosts=(f"*.{DOMAIN}",), gateways={"eu-1": ["203.0.113.1:443"]}))
    assert world.told(f"anything.{DOMAIN}") == ["203.0.113.1"]
    assert world.told(f"a.b.c.{DOMAIN}") == ["203.0.113.1"]
    assert world.told(f"www.{DOMAIN}") == []
    assert ask(door_to(*world.zones.values()), f"x.www.{DOMAIN}").rcode() == dns.rcode.NXDOMAIN


def test_fixed_records_stand_beside_hosts_and_in_front_of_them() -> None:
    records = [
        {"name": "@", "type": "TXT", "values": ["v=spf1 -all", "second"]},
        {"name": "shop", "type": "TXT", "values": ["mine"]},
        {"name": "old", "type": "CNAME", "values": [HOST]},
        {"name": "taken", "type": "A", "values": ["192.0.2.9"]},
    ]
    world = World(zone_object(records=records))
    world.put(policy(hosts=(DOMAIN, HOST, f"taken.{DOMAIN}")))
    assert world.told(DOMAIN, kind="TXT") == ['"second"', '"v=spf1 -all"']
    assert world.told(DOMAIN) == ["203.0.113.1"]
    assert world.told(DOMAIN, kind="NS") == [f"ns.{DOMAIN}."]
    assert world.told(f"ns.{DOMAIN}") == ["192.0.2.53"]
    assert world.told(HOST, kind="TXT") == ['"mine"']
    assert world.told(HOST) == ["203.0.113.1"]
    assert world.told(f"old.{DOMAIN}") == [f"{HOST}."]
    assert world.told(f"taken.{DOMAIN}") == ["192.0.2.9"]
    assert world.amiss() == [
        f"taken.{DOMAIN}: spec.records say where it leads, so shop/shop does not"
    ]


def test_the_oldest_policy_has_a_host_and_only_namespaces_that_may() -> None:
    world = World(zone_object(namespaces=["shop", "late"]))
    late = policy(
        "p", "late", gateways={"eu-1": ["203.0.113.99:443"]}, created="2026-02-01T00:00:00Z"
    )
    early = policy("p", "early", created="2025-01-01T00:00:00Z", hosts=(HOST, f"e.{DOMAIN}"))
    world.put(late, early)
    assert world.told() == ["203.0.113.99"]
    world.put(policy())
    assert world.told() == ["203.0.113.1"]
    assert world.amiss() == [
        f"e.{DOMAIN}: namespace early may have no names here",
        f"{HOST}: shop/shop has it, so early/p, late/p does not",
    ]
    world.names.remove_policy(("shop", "shop"))
    world.settle()
    assert world.told() == ["203.0.113.99"]


def test_a_cluster_without_an_address_is_told_of_and_its_share_goes_to_the_others() -> None:
    world = World()
    gateways = {"eu-1": ["203.0.113.1:443"]}
    world.put(policy(gateways=gateways, splits={"": {"eu-1": 1, "us-1": 9}}))
    assert shares_of(world, draws=50) == {"203.0.113.1": 100}
    assert world.amiss() == [
        f"{HOST}: neither spec.gateways of shop/shop nor a load balancer says where in us-1"
    ]
    world.put(policy(gateways={}))
    assert ask(door_to(*world.zones.values()), HOST).rcode() == dns.rcode.NXDOMAIN
    assert world.amiss() == [f"{HOST}: {NOWHERE}"]


def test_where_load_balancers_of_members_are_need_not_be_said() -> None:
    world = World()
    world.put(policy(gateways={"us-1": ["198.51.100.1:443"]}, splits={"": {"eu-1": 1, "us-1": 1}}))
    shop = ServiceName("shop", "shop")
    world.names.put_ingress(shop, {"eu-1": ("203.0.113.7",), "us-1": ("192.0.2.7",)})
    world.settle()
    # What the policy says of a cluster counts more.
    assert shares_of(world) == {"203.0.113.7": 50, "198.51.100.1": 50}
    assert world.amiss() == []
    world.names.set_lost(["eu-1"])
    world.settle()
    assert shares_of(world) == {"198.51.100.1": 100}
    world.names.set_lost([])
    world.names.put_ingress(shop, {"eu-1": ("lb.example.net", "no name!")})
    world.settle()
    assert set(shares_of(world)) == {"lb.example.net.", "198.51.100.1"}
    world.names.put_ingress(shop, {})
    world.settle()
    assert shares_of(world) == {"198.51.100.1": 100}


def test_the_longest_domain_has_a_host_also_when_it_comes_later() -> None:
    inner = zone_object("inner", domain=f"eu.{DOMAIN}", nameServers=[{"name": "ns.example.org"}])
    host = f"shop.eu.{DOMAIN}"
    world = World()
    world.put(policy(hosts=(host,)))
    assert (world.names.count(DOMAIN), world.told(host)) == (1, ["203.0.113.1"])
    world.put_zone(inner)
    assert (world.names.count(DOMAIN), world.names.count(f"eu.{DOMAIN}")) == (0, 1)
    assert world.told(host) == ["203.0.113.1"]
    assert ask(door_to(world.zones[DOMAIN]), host).rcode() == dns.rcode.NXDOMAIN


def test_the_oldest_zone_has_a_domain() -> None:
    accepted, refused = accept([zone_object("b"), zone_object("a"), zone_object("c")])
    assert accepted[DOMAIN].metadata.name == "a"
    assert refused == dict.fromkeys("bc", f"{DOMAIN} is the domain of GlobalZone a")


SHARES = st.dictionaries(
    st.sampled_from([f"c{n}" for n in range(8)]), st.integers(1, 10_000), min_size=1
)


def split_host(shares: Mapping[str, int], *, sticky: bool = False) -> SplitHost:
    targets = tuple(
        Target(name, share, {A: addresses([f"10.0.0.{name[1:]}"], 5)[0]})
        for name, share in sorted(shares.items())
    )
    return SplitHost({"": targets}, Networks(()), sticky)


def chosen(host: SplitHost, draw: float, address: bytes = b"") -> str:
    return f"c{host.choose(A, Asker(address), draw).node[A].data[0][3]}"


@given(SHARES)
def test_a_draw_over_the_whole_range_gives_each_its_part(shares: dict[str, int]) -> None:
    host = split_host(shares)
    found = Counter(chosen(host, n / 500) for n in range(500))
    total = sum(shares.values())
    for name, share in shares.items():
        assert abs(found[name] - 500 * share / total) <= 1


@settings(max_examples=30)
@given(SHARES, st.sampled_from([f"c{n}" for n in range(8)]))
def test_who_stays_with_a_cluster_moves_only_from_one_that_went(
    shares: dict[str, int], gone: str
) -> None:
    left = {name: share for name, share in shares.items() if name != gone}
    if not left:
        return
    before, after = split_host(shares, sticky=True), split_host(left, sticky=True)
    for number in range(100):
        address = bytes([10, number, 7, 1])
        first = chosen(before, 0.0, address)
        assert chosen(before, 0.9, address) == first
        assert chosen(before, 0.0, bytes([10, number, 7, 99])) == first
        if first != gone:
            assert chosen(after, 0.0, address) == first


def test_those_who_stay_are_shared_by_the_shares_too() -> None:
    host = split_host({"c1": 3, "c2": 1}, sticky=True)
    found = Counter(chosen(host, 0.0, bytes([10, n >> 8, n & 255, 1])) for n in range(4_000))
    assert 2_900 <= found["c1"] <= 3_100


def test_luck_is_never_all_or_nothing() -> None:
    for digest in (b"\0" * 8, b"\xff" * 8):
        assert 0.0 < luck_of(digest) < 1.0
