"""What load balancers count, added up and taken in once."""

from typing import Any

from services.traffic.core.renderers.haproxy import Layout, lay_out
from services.traffic.front.tally import Tally
from services.traffic.reconcilers.guarding import Guard
from services.traffic.reconcilers.measurements import MeasurementTable, PolicyName
from shared.bus.memory import MemoryBus
from shared.bus.port import BoardEntry
from shared.events.traffic import (
    ClusterCount,
    FrontTrouble,
    PlanBackend,
    PlanShare,
    PlanSplit,
    TrafficPlan,
    TrafficWord,
    encode_traffic,
    word_key,
)

WEB = PolicyName("shop", "web")


class Heard:
    """A table, and the policies it woke."""

    def __init__(self) -> None:
        self.woken: list[PolicyName] = []
        self.table = MeasurementTable(MemoryBus(), self.woken.append, Guard(fail_fast=True))

    def hear(self, requests: int, errors: int = 0, **fields: Any) -> None:
        count = ClusterCount(cluster="eu-1", requests=requests, errors=errors)
        fields = {"front": "a", "epoch": "1", **fields}
        word = TrafficWord(namespace="shop", policy="web", counts=(count,), **fields)
        self.table.take(BoardEntry(word_key(word), encode_traffic(word)))


def test_what_was_counted_between_two_words_is_told_until_it_is_settled() -> None:
    heard = Heard()
    heard.hear(100, 50)
    assert heard.table.told(WEB).requests == {}
    heard.hear(130, 51)
    heard.hear(140, 51)
    told = heard.table.told(WEB)
    assert (told.requests, told.errors) == ({"eu-1": 40}, {"eu-1": 1})

    heard.hear(145, 52)
    heard.table.settle(WEB, told)
    left = heard.table.told(WEB)
    assert (left.requests, left.errors) == ({"eu-1": 5}, {"eu-1": 1})
    assert set(heard.woken) == {WEB}


def test_who_counts_anew_begins_anew() -> None:
    heard = Heard()
    heard.hear(100)
    heard.hear(900, epoch="2")
    assert heard.table.told(WEB).requests == {}
    heard.hear(910, epoch="2")
    # And nonsense adds nothing.
    heard.hear(3, 7, epoch="2")
    assert heard.table.told(WEB).requests == {"eu-1": 10}


def test_demand_is_that_of_all_who_still_speak() -> None:
    heard = Heard()
    heard.hear(1, rate=10.4, region="eu")
    heard.hear(1, rate=5.2, region="eu", front="b")
    heard.hear(1, rate=7.0, front="c")
    assert heard.table.demand(WEB) == {"eu": 16}

    gone = word_key(TrafficWord(namespace="shop", policy="web", front="b"))
    heard.table.take(BoardEntry(gone, None))
    assert heard.table.demand(WEB) == {"eu": 10}


def test_what_cannot_be_read_says_nothing() -> None:
    heard = Heard()
    heard.table.take(BoardEntry("shop.web.a", b"{"))
    heard.table.take(BoardEntry("shop", b"{}"))
    assert heard.woken == []


def layout(*clusters: str, before: Layout | None = None) -> Layout:
    shares = tuple(PlanShare(cluster=name, share=1) for name in clusters)
    plan = TrafficPlan(
        namespace="shop",
        policy="web",
        service="web",
        port=80,
        splits=(PlanSplit(shares=shares),),
        backends=tuple(PlanBackend(cluster=name, host="10.0.0.1", port=80) for name in clusters),
    )
    return lay_out([plan], "", before or {})


def counted(tally: Tally, laid: Layout, now: float) -> dict[str, tuple[int, int]]:
    (word,) = tally.words(laid, {}, now)
    return {one.cluster: (one.requests, one.errors) for one in word.counts}


def test_a_tally_goes_on_over_processes_and_over_servers_that_change_hands() -> None:
    tally, both = Tally("a", "eu", "1"), layout("eu-1", "us-1")
    tally.take("pid 1", {("shop_web", "s1"): (10, 1), ("shop_web", "s2"): (5, 0)}, both)
    assert counted(tally, both, 1.0) == {"eu-1": (10, 1), "us-1": (5, 0)}

    # Another process counts from nothing.
    tally.take("pid 2", {("shop_web", "s1"): (3, 0), ("shop_web", "s2"): (0, 0)}, both)
    assert counted(tally, both, 2.0) == {"eu-1": (13, 1), "us-1": (5, 0)}

    four = layout("eu-1", "us-1", "ap-1", "ap-2", before=both)
    swapped = layout("xx-1", "us-1", "ap-1", "ap-2", before=four)
    tally.take("pid 2", {("shop_web", "s1"): (4, 0)}, swapped)
    assert counted(tally, swapped, 3.0)["xx-1"] == (1, 0)


def test_a_word_that_is_as_it_was_is_said_again_only_after_a_while() -> None:
    tally, laid = Tally("a", "eu", "1"), layout("eu-1")
    tally.take("pid", {("shop_web", "s1"): (10, 0)}, laid)
    (first,) = tally.words(laid, {}, 0.0)
    assert first.rate == 0.0
    assert tally.words(laid, {}, 2.0) == []
    tally.take("pid", {("shop_web", "s1"): (40, 0)}, laid)
    (second,) = tally.words(laid, {}, 3.0)
    assert second.rate == 10.0
    # That it has come to rest is news.
    (third,) = tally.words(laid, {}, 5.0)
    assert third.rate == 0.0
    assert tally.words(laid, {}, 6.0) == []
    assert len(tally.words(laid, {}, 10.0)) == 1


def test_who_cannot_carry_a_policy_says_so_and_says_when_that_is_over() -> None:
    tally, laid = Tally("a", "eu", "1"), layout("eu-1")
    taken = FrontTrouble(reason="PortTaken", message="its port 80 is taken by shop/web")
    (word, _) = tally.words(laid, {"shop/other": taken}, 10.0)
    assert (word.namespace, word.policy, word.trouble) == ("shop", "other", taken)
    assert tally.words(laid, {"shop/other": taken}, 11.0) == []
    assert len(tally.words(laid, {"shop/other": taken}, 15.0)) == 2
    stuck = FrontTrouble(reason="NotCarried", message="it goes on as it was: no such host")
    assert [one.trouble for one in tally.words(laid, {"shop/web": stuck}, 16.0)] == [stuck]
    assert tally.words(laid, {"shop/web": stuck}, 17.0) == []
    assert [one.trouble for one in tally.words(laid, {}, 18.0)] == [None]
