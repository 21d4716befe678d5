"""What cannot be taken in of one object is told, and ends nothing else."""

import asyncio
from datetime import timedelta
from typing import cast

import msgspec
import pytest
from structlog.testing import capture_logs

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.folding import Place
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.guarding import Guard
from services.traffic.reconcilers.knowledge import Knowledge
from services.traffic.reconcilers.overview import OverviewDoor
from shared.bus.memory import MemoryBus
from shared.errors import MalformedEvent
from shared.events.exports import ExportReport, PortReport, ServiceFace, ServiceReport
from shared.events.requests import API_SERVICES
from shared.events.services import ServicesOverview
from shared.store.memory import MemoryStore
from tests.federation import running


def taken(guard: Guard, *errors: Exception | None) -> tuple[list[int], list[str]]:
    """Which of some objects are taken in, and what is told of the others."""
    found: list[int] = []
    told: list[str] = []
    for number, error in enumerate(errors):
        with guard.taking("exports", number, told.append):
            if error is not None:
                raise error
            found.append(number)
    return found, told


def test_what_cannot_be_read_is_told_and_the_rest_taken_in() -> None:
    with capture_logs() as logs:
        found, told = taken(Guard(), None, MalformedEvent("no JSON"), ValueError("no port"), None)
    assert found == [0, 3]
    assert told == ["1 cannot be understood: no JSON", "2 cannot be understood: no port"]
    assert [(one["event"], one["key"]) for one in logs] == [
        ("intake.unreadable", "1"),
        ("intake.unreadable", "2"),
    ]


def test_a_bug_that_one_object_brings_out_ends_nothing_but_in_tests() -> None:
    with capture_logs() as logs:
        assert taken(Guard(), KeyError("spec"), None) == ([1], ["0 cannot be understood: 'spec'"])
    assert [one["event"] for one in logs] == ["intake.bug"]
    with pytest.raises(KeyError):
        taken(Guard(fail_fast=True), KeyError("spec"))
    # What is written wrong is no bug of ours.
    with capture_logs():
        assert taken(Guard(fail_fast=True), ValueError("no port"), None)[0] == [1]


async def test_services_are_shown_but_for_those_that_cannot_be_understood() -> None:
    bus, store, catalogue = MemoryBus(), MemoryStore(), LiveCatalogue()
    known = Knowledge(bus, store.mirror, catalogue, Guard())
    known.table.fleet["eu-1"] = Place()
    export = ExportReport(uid="u", since="2026-01-01T00:00:00Z")
    for name, port in (("good", PortReport(port=80)), ("odd", cast("PortReport", "80"))):
        face = ServiceFace(ports=(port,))
        known.table.reports[ServiceName("shop", name)] = {
            "eu-1": ServiceReport(export=export, service=face)
        }
    catalogue.synced.set()
    with capture_logs() as logs:
        async with running(OverviewDoor(bus, store.mirror, known).run):
            await asyncio.sleep(0)
            body = await bus.request(API_SERVICES, b"{}", deadline=timedelta(seconds=5))
    shown = msgspec.json.decode(body, type=ServicesOverview)
    assert [one.name for one in shown.services] == ["good"]
    [warning] = shown.warnings
    assert warning.startswith("shop/odd cannot be understood")
    assert "intake.bug" in [one["event"] for one in logs]
