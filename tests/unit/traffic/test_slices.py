"""Slices of exports one by one: what is put together of them, and what is made anew of a change."""

from typing import Any

import msgspec
import pytest

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.folding import Folded, Place, fold
from services.traffic.core.import_orders import SliceMemory, import_orders
from services.traffic.core.orders import Orders, Unmade, digest_of
from services.traffic.reconcilers.export_table import ExportTable
from shared.events import subjects
from shared.events.exports import (
    EndpointReport,
    ExportReport,
    PortReport,
    ServiceFace,
    ServiceReport,
    SliceReport,
)
from shared.store.memory import MemoryStore

WEB = ServiceName("shop", "web")
FLEET = {"eu": Place(region="eu", zone="eu-a"), "us": Place(region="us", zone="us-a")}
FACE = ServiceFace(ports=(PortReport(name="http", port=80),))
SAID = ServiceReport(export=ExportReport(uid="u", since="2026-05-01T00:00:00Z"), service=FACE)


def slice_(name: str, *addresses: str) -> SliceReport:
    ports = (PortReport(name="http", port=8080),)
    each = tuple(EndpointReport(addresses=(one,)) for one in addresses)
    return SliceReport(name=name, ports=ports, endpoints=each)


A, B = slice_("a", "10.1.0.1", "10.1.0.2"), slice_("b", "10.1.1.1")
OTHER_B = slice_("b", "10.1.1.9")


def folded(*slices: SliceReport, before: Folded | None = None, **face: Any) -> Folded:
    said = msgspec.structs.replace(SAID, slices=slices)
    if face:
        said = msgspec.structs.replace(said, service=msgspec.structs.replace(FACE, **face))
    return fold(WEB, {"eu": said}, None, FLEET, before)


def orders_of_slices(orders: Orders) -> list[object]:
    return [one for key, one in sorted(orders.items()) if key.resource == "endpointslices"]


def test_of_a_change_only_the_slice_that_changed_is_made_anew() -> None:
    memory = SliceMemory()
    first = folded(A, B)
    import_orders(first, FLEET, memory=memory)
    changed = folded(A, OTHER_B, before=first)
    found = import_orders(changed, FLEET, memory=memory)
    for member in FLEET:
        plain = import_orders(changed, FLEET)[member]
        kinds = {type(one) for one in orders_of_slices(found[member])}
        assert len(kinds) == 2, "one is remembered, the other made"
        assert {key: digest_of(one) for key, one in found[member].items()} == {
            key: digest_of(one) for key, one in plain.items()
        }
        for key, one in found[member].items():
            if isinstance(one, Unmade):
                assert one.make() == plain[key]


@pytest.mark.parametrize(
    "changed",
    [
        folded(A, B, headless=True),
        folded(A, B, traffic_distribution="PreferClose"),
        fold(
            WEB,
            {"eu": msgspec.structs.replace(SAID, slices=(A, B))},
            None,
            {**FLEET, "eu": Place(region="eu", zone="eu-b")},
        ),
    ],
    ids=["headless", "close", "moved"],
)
def test_what_every_slice_rests_on_has_all_made_anew(changed: Folded) -> None:
    memory = SliceMemory()
    import_orders(folded(A, B), FLEET, memory=memory)
    for orders in import_orders(changed, FLEET, memory=memory).values():
        assert not any(isinstance(one, Unmade) for one in orders.values())


def test_endpoints_of_a_slice_that_did_not_change_are_the_same_objects() -> None:
    first = folded(A, B)
    second = folded(A, OTHER_B, before=first)
    assert second == folded(A, OTHER_B)
    assert second.endpoints["eu", "a"] is first.endpoints["eu", "a"]
    moved = {**FLEET, "eu": Place(region="eu", zone="eu-b")}
    said = {"eu": msgspec.structs.replace(SAID, slices=(A, OTHER_B))}
    assert fold(WEB, said, None, moved, first) == fold(WEB, said, None, moved)


@pytest.fixture
def table() -> ExportTable:
    return ExportTable(MemoryStore().mirror)


def test_slices_are_put_together_in_whatever_order_they_come(table: ExportTable) -> None:
    assert not table.take_slice(WEB, "eu", B), "nobody knows the service yet"
    table.take(WEB, "eu", SAID)
    assert table.take_slice(WEB, "eu", A)
    assert table.reports[WEB]["eu"].slices == (A, B)
    assert table.take_slice(WEB, "eu", OTHER_B)
    assert table.reports[WEB]["eu"].slices == (A, OTHER_B)
    # What the service itself is does not tell of its slices.
    table.take(WEB, "eu", msgspec.structs.replace(SAID, ips=("10.96.0.9",)))
    assert table.reports[WEB]["eu"].slices == (A, OTHER_B)
    assert table.drop_slice(WEB, "eu", "a")
    assert not table.drop_slice(WEB, "eu", "a")
    assert table.reports[WEB]["eu"].slices == (OTHER_B,)
    assert table.drop(WEB, "eu")
    assert not table.drop_slice(WEB, "eu", "b"), "the service has gone already"
    assert not table.reports


def test_a_worker_of_today_takes_over_from_one_that_told_of_all_slices_at_once(
    table: ExportTable,
) -> None:
    table.take(WEB, "eu", msgspec.structs.replace(SAID, slices=(A, B)))
    assert table.take_slice(WEB, "eu", OTHER_B)
    assert table.reports[WEB]["eu"].slices == (A, OTHER_B)
    table.take(WEB, "eu", SAID)
    assert table.reports[WEB]["eu"].slices == (OTHER_B,)


def test_what_a_stream_shows_no_more_is_dropped(table: ExportTable) -> None:
    table.take(WEB, "eu", SAID)
    table.take(WEB, "us", SAID)
    table.take_slice(WEB, "eu", A)
    table.take_slice(WEB, "eu", B)
    every = {*table.subjects_of("eu"), *table.subjects_of("us")}
    assert not table.forget_beside(every)
    left = every - {subjects.slice_endpoints("eu", *WEB, "a"), subjects.endpoints("us", *WEB)}
    assert table.forget_beside(left) == {WEB}
    assert table.reports == {WEB: {"eu": msgspec.structs.replace(SAID, slices=(B,))}}
