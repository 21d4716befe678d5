"""What another server is told: enough, no more, and nothing of names that are not Hanse's."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from services.traffic.core.dns.names import parse_name
from services.traffic.core.dns.records import TXT, A, addresses, text
from services.traffic.core.dns.updates import Observed, UpdatePlan, plan_updates
from services.traffic.core.dns.zone import Node

LABELS = ("a", "b", "c", "*")
SAYINGS = st.dictionaries(
    st.sampled_from(LABELS), st.lists(st.integers(0, 255), min_size=1, max_size=3)
)
TEXTS = st.sampled_from(["heritage=hanse,owner=other,types=1", "heritage=hanse", "types=", "x"])


def zone(sayings: Mapping[str, list[int]]) -> dict[bytes, Node]:
    return {
        parse_name(f"{label}.example.com"): {
            A: addresses([f"10.0.0.{n}" for n in numbers], 30)[0],
            **({TXT: text("hello", 30)} if len(numbers) > 1 else {}),
        }
        for label, numbers in sayings.items()
    }


def carried_out(plan: UpdatePlan, observed: Observed) -> dict[bytes, dict[int, object]]:
    """As a server does it that keeps to RFC 2136."""
    found: dict[bytes, dict[int, object]] = {name: dict(sets) for name, sets in observed.items()}
    for one in plan.updates:
        own = found.setdefault(one.name, {})
        mark = found.setdefault(one.mark_name, {})
        mine = one.before.types if one.before else frozenset()
        assert not own.keys() & (one.node.keys() - mine)
        if one.before is None:
            assert not mark
        else:
            assert mark[TXT] == (300, frozenset(one.before.record().data))
        for kind in mine:
            own.pop(kind, None)
        mark.pop(TXT, None)
        own.update({k: (v.ttl, frozenset(v.data)) for k, v in one.node.items()})
        if one.after is not None:
            record = one.after.record()
            mark[TXT] = (record.ttl, frozenset(record.data))
    return {name: sets for name, sets in found.items() if sets}


@given(st.lists(SAYINGS, max_size=5), SAYINGS, st.dictionaries(st.sampled_from(LABELS), TEXTS))
def test_it_comes_to_say_the_same_and_leaves_the_others_alone(
    history: list[dict[str, list[int]]], foreign: dict[str, list[int]], marks: dict[str, str]
) -> None:
    others = {
        name: {kind: (one.ttl, frozenset(one.data)) for kind, one in node.items()}
        for name, node in zone(foreign).items()
    }
    for label, words in marks.items():
        data = frozenset(text(words, 1).data)
        others[parse_name(f"_hanse.{label}.example.com".replace(".*.", ".x."))] = {TXT: (1, data)}
    observed = others
    for sayings in history:
        desired = zone(sayings)
        plan = plan_updates(desired, observed, "mine")
        observed = carried_out(plan, observed)
        for name, node in desired.items():
            if name not in plan.taken:
                for kind, wanted in node.items():
                    assert observed[name][kind] == (wanted.ttl, frozenset(wanted.data))
        again = plan_updates(desired, observed, "mine")
        assert again.updates == ()
        assert again.taken == plan.taken
    observed = carried_out(plan_updates({}, observed, "mine"), observed)
    assert observed == others


def test_a_record_that_somebody_adds_to_a_name_of_hanse_is_left_alone() -> None:
    name = parse_name("a.example.com")
    observed = carried_out(plan_updates(zone({"a": [1]}), {}, "mine"), {})
    observed[name][TXT] = (60, frozenset(text("theirs", 60).data))
    plan = plan_updates(zone({"a": [1, 2]}), observed, "mine")
    assert (plan.updates, plan.taken) == ((), (name,))
    assert carried_out(plan_updates({}, observed, "mine"), observed) == {
        name: {TXT: (60, frozenset(text("theirs", 60).data))}
    }
