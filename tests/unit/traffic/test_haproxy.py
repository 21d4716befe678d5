"""A configuration of HAProxy, and how it changes while it runs."""

from dataclasses import replace

import msgspec

from services.traffic.core.fronts import sort_plans
from services.traffic.core.renderers.haproxy import (
    Front,
    Layout,
    commands,
    configuration,
    is_done,
    lay_out,
    read_counters,
)
from shared.events.traffic import PlanBackend, PlanShare, PlanSplit, TrafficPlan

FRONT = Front(socket="/run/haproxy.sock", address="127.0.0.1", http_port=8080)


def plan(*endpoints: str, policy: str = "web", port: int = 80, **shares: int) -> TrafficPlan:
    """Each endpoint is written `cluster=host`."""
    split = PlanSplit(shares=tuple(PlanShare(cluster=n, share=s) for n, s in shares.items()))
    return TrafficPlan(
        namespace="shop",
        policy=policy,
        service="shop",
        port=port,
        protocol="HTTP",
        splits=(split,),
        backends=tuple(
            PlanBackend(cluster=one.split("=")[0], host=one.split("=")[1], port=9000)
            for one in endpoints
        ),
    )


def laid(*plans: TrafficPlan, before: Layout | None = None) -> Layout:
    return lay_out(sort_plans(plans, FRONT.http_port).carried, "", before or {})


TWO = laid(plan("eu=10.0.0.1", "us=10.1.0.1", eu=7_500, us=2_500))


def test_every_endpoint_has_a_server_with_its_part_of_the_share() -> None:
    text = configuration(TWO, FRONT)

    assert "    server s1 10.0.0.1:9000 weight 256\n" in text
    assert "    server s2 10.1.0.1:9000 weight 85\n" in text
    assert "    server s3 127.0.0.1:1 weight 0 disabled\n" in text
    assert "    bind 127.0.0.1:80\n    default_backend shop_web\n" in text


def test_another_share_is_said_to_the_running_one() -> None:
    after = laid(plan("eu=10.0.0.1", "us=10.1.0.1", eu=5_000, us=5_000), before=TWO)

    assert commands(TWO, after) == ["set server shop_web/s2 weight 256"]
    assert commands(after, after) == []


def test_who_takes_more_comes_before_who_leaves() -> None:
    after = laid(plan("eu=10.0.0.1", "us=10.1.0.1", us=10_000), before=TWO)

    assert commands(TWO, after) == [
        "set server shop_web/s2 weight 256",
        "set server shop_web/s1 state maint",
    ]
    back = laid(plan("eu=10.0.0.1", "us=10.1.0.1", eu=10_000), before=after)
    assert commands(after, back) == [
        "set server shop_web/s1 weight 256",
        "set server shop_web/s1 state ready",
        "set server shop_web/s2 state maint",
    ]


def test_an_endpoint_that_comes_takes_a_server_that_waits() -> None:
    after = laid(plan("eu=10.0.0.1", "eu=10.0.0.2", "us=10.1.0.1", eu=8_000, us=2_000), before=TWO)

    assert commands(TWO, after) == [
        "set server shop_web/s2 weight 128",
        "set server shop_web/s3 addr 10.0.0.2 port 9000",
        "set server shop_web/s3 weight 256",
        "set server shop_web/s3 state ready",
    ]
    gone = laid(plan("eu=10.0.0.2", "us=10.1.0.1", eu=8_000, us=2_000), before=after)
    said = commands(after, gone)
    assert said is not None
    assert said[-1] == "set server shop_web/s1 state maint"


def test_an_endpoint_that_takes_the_place_of_another_waits_for_its_address() -> None:
    four = laid(plan("a=10.0.0.1", "a=10.0.0.2", "a=10.0.0.3", "a=10.0.0.4", a=10_000))
    after = laid(plan("a=10.0.0.9", "a=10.0.0.2", "a=10.0.0.3", "a=10.0.0.4", a=1), before=four)

    assert commands(four, after) == [
        "set server shop_web/s1 state maint",
        "set server shop_web/s1 addr 10.0.0.9 port 9000",
        "set server shop_web/s1 weight 256",
        "set server shop_web/s1 state ready",
    ]


def test_it_begins_anew_only_for_what_cannot_be_said() -> None:
    more = laid(plan(*(f"eu=10.0.0.{number}" for number in range(1, 6)), eu=1), before=TWO)
    assert len(more["shop_web"].servers) == 8
    assert commands(TWO, more) is None
    assert commands(TWO, laid()) is None
    other = {"shop_web": replace(TWO["shop_web"], plan=plan(port=81))}
    assert commands(TWO, other) is None


def test_of_two_that_listen_on_one_port_the_first_does() -> None:
    first, second = plan("eu=10.0.0.1", policy="a", eu=1), plan("eu=10.0.0.1", policy="b", eu=1)

    assert list(laid(second, first)) == ["shop_a"]
    refused = sort_plans([second, first], FRONT.http_port).refused
    assert {key: (one.reason, one.message) for key, one in refused.items()} == {
        "shop/b": ("PortTaken", "its port 80 is taken by shop/a")
    }
    named = msgspec.structs.replace(second, hosts=("b.example.com",))
    assert list(laid(named, first)) == ["shop_a", "shop_b"]
    # Host names have a port of their own.
    beside = sort_plans([named, first], first.port).refused
    assert beside["shop/a"].message == "its port 80 is taken by the host names of shop/b"


def test_none_that_is_added_later_takes_over_from_one_that_works() -> None:
    replaced = msgspec.structs.replace
    works = replaced(plan("eu=10.0.0.1", policy="b", eu=1), since="2026-01-01T00:00:00Z")
    later = replaced(plan("eu=10.0.0.2", policy="a", eu=1), since="2026-01-02T00:00:00Z")
    idle = replaced(later, since="2025-01-01T00:00:00Z", splits=())

    for other in (later, idle):
        assert list(laid(other, works)) == ["shop_b"]
        assert [*sort_plans([other, works], FRONT.http_port).refused] == ["shop/a"]


def test_a_host_leads_where_the_older_policy_says_and_the_other_says_so() -> None:
    replaced = msgspec.structs.replace
    works = replaced(plan(policy="b"), hosts=("b.example.com",), since="2026-01-01T00:00:00Z")
    later = replaced(works, policy="a", since="2026-01-02T00:00:00Z")
    both = replaced(later, policy="c", hosts=("b.example.com", "c.example.com"))
    found = sort_plans([later, both, works], FRONT.http_port)

    assert [(one.policy, one.hosts) for one in found.carried] == [
        ("b", ("b.example.com",)),
        ("c", ("c.example.com",)),
    ]
    told = ("HostTaken", "b.example.com is taken by shop/b")
    assert {key: (one.reason, one.message) for key, one in found.refused.items()} == {
        "shop/a": told,
        "shop/c": told,
    }


def test_what_it_does_not_balance_is_told_and_what_has_no_port_is_not() -> None:
    datagrams = msgspec.structs.replace(plan(policy="a"), protocol="UDP")
    unknown = msgspec.structs.replace(plan(policy="b"), port=0)
    found = sort_plans([datagrams, unknown], FRONT.http_port)
    assert found.carried == []
    assert {key: one.reason for key, one in found.refused.items()} == {
        "shop/a": "ProtocolNotSupported"
    }


def test_hosts_share_a_port_and_names_come_before_patterns() -> None:
    wild = msgspec.structs.replace(plan(policy="a"), hosts=("*.example.com",))
    exact = msgspec.structs.replace(plan(policy="b"), hosts=("b.example.com",))
    text = configuration(laid(wild, exact), FRONT)

    assert text.index("-m str b.example.com") < text.index("-m end .example.com")
    assert text.count("bind ") == 1


def test_an_address_that_a_member_made_up_stands_nowhere() -> None:
    evil = plan("eu=10.0.0.1\n    server x 6.6.6.6:1", "us=10.1.0.1", eu=5_000, us=5_000)

    assert "6.6.6.6" not in configuration(laid(evil), FRONT)


def test_clients_stick_by_address_or_by_cookie() -> None:
    by_address = msgspec.structs.replace(plan("eu=1.1.1.1", eu=1), session_affinity="ClientIP")
    assert "    stick on src\n" in configuration(laid(by_address), FRONT)
    by_cookie = msgspec.structs.replace(by_address, session_affinity="Cookie", session_seconds=60)
    text = configuration(laid(by_cookie), FRONT)
    assert "    cookie hanse-shop insert indirect nocache maxidle 60s\n" in text
    assert "server s1 1.1.1.1:9000 weight 256 cookie s1\n" in text


def test_counters_are_read_by_their_names() -> None:
    table = (
        "# pxname,svname,stot,econ,eresp,hrsp_5xx,\n"
        "to_shop_web,FRONTEND,9,,,1,\n"
        "shop_web,s1,7,1,1,2,\nshop_web,s2,1,1,1,1,\nshop_web,BACKEND,8,,,,\n"
    )
    assert read_counters(table) == {("shop_web", "s1"): (7, 4), ("shop_web", "s2"): (1, 1)}
    assert read_counters("") == {}


def test_an_answer_that_is_a_refusal_is_known() -> None:
    assert is_done("\n")
    assert is_done("IP changed from '127.0.0.1' to '10.0.0.2' by 'stats socket command'\n")
    assert is_done("no need to change the addr, port unchanged\n")
    assert not is_done("No such server.\n")
