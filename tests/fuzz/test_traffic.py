"""Whatever members report and people write of traffic: it is told, and all else goes on."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import structlog.testing
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.traffic.service import Traffic
from services.traffic.settings import Settings
from shared.api.meta import API_VERSION, GROUP
from shared.api.multicluster import export_key
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.memory import MemoryBus
from shared.bus.port import Bus, Message, RequestError
from shared.clock import SystemClock
from shared.events import subjects
from shared.events.exports import (
    EndpointReport,
    ExportReport,
    NamespacesReport,
    PortReport,
    ServiceFace,
    ServiceReport,
    SliceReport,
    encode_export,
)
from shared.events.requests import (
    API_SERVICES,
    API_TRAFFIC,
    API_TRAFFIC_EXPLAIN,
    API_TRAFFIC_RENDER,
    API_TRAFFIC_REPORT,
)
from shared.events.traffic import BOARD
from shared.store.memory import MemoryStore
from shared.store.port import ObjectStore
from tests.fuzz.profile import EXAMPLES
from tests.fuzz.strategies import bodies, texts, values

_DEADLINE = timedelta(seconds=10)
_CLUSTERS = ("eu-1", "us-1")
_GOOD = "good"
_fields = st.sampled_from(
    [
        *("service", "weights", "targetCluster", "weight", "clusterNames", "locality", "failover"),
        *("order", "returnAfter", "shift", "to", "steps", "percentage", "duration", "gate"),
        *("hosts", "port", "gateways", "cluster", "addresses", "routes", "gateway", "name"),
        *("splits", "clusters", "share", "conditions", "type", "status", "observedTime", "phase"),
    ]
)
_parts = st.recursive(
    st.sampled_from(["eu-1", "us-1", "web", "1s", "-1s", 0, 1, -1, 10**40, True, None]) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_fields, inner, max_size=4),
    max_leaves=14,
)
_sections = st.fixed_dictionaries({}, optional={"spec": _parts | values, "status": _parts | values})
_words = st.dictionaries(
    st.sampled_from(["namespace", "policy", "front", "region", "rate", "counts", "trouble"]),
    values,
    max_size=5,
)
_ports = st.builds(
    PortReport,
    port=st.integers(1, 65_535),
    name=texts,
    protocol=st.sampled_from(["TCP", "UDP", "SCTP"]),
    app_protocol=texts,
)
_slices = st.builds(
    SliceReport,
    name=texts,
    address_type=st.sampled_from(["IPv4", "IPv6", "FQDN"]),
    ports=st.lists(_ports, max_size=2).map(tuple),
    endpoints=st.lists(
        st.builds(
            EndpointReport,
            addresses=st.lists(texts | st.just("10.0.0.1"), max_size=2).map(tuple),
            zone=texts,
            for_zones=st.lists(texts, max_size=2).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
)
_reports = st.builds(
    ServiceReport,
    export=st.none()
    | st.builds(
        ExportReport, uid=texts, since=texts, labels=st.dictionaries(texts, texts, max_size=2)
    ),
    service=st.none()
    | st.builds(
        ServiceFace, type=texts, since=texts, ports=st.lists(_ports, max_size=3).map(tuple)
    ),
    slices=st.lists(_slices, max_size=2).map(tuple),
    ips=st.lists(texts, max_size=2).map(tuple),
)
_asked = bodies | st.dictionaries(
    st.sampled_from(["namespace", "service", "policy", "form", "region", "gateway", "words"]),
    values | st.sampled_from(["shop", "web", "odd", "httproute", "haproxy"]),
    max_size=4,
).map(lambda value: json.dumps(value).encode())
_SETTINGS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # What is not dealt with is waited for: too long to make it small.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


class _Ground:
    def __init__(self) -> None:
        self.store: ObjectStore = MemoryStore()
        self.bus: Bus = MemoryBus("tests")

    async def found(self) -> None:
        for name in _CLUSTERS:
            cluster = _object("Cluster", name, spec={"region": name[:2]})
            await self.store.create(ObjectKey(GROUP, "clusters", "", name), cluster)
            spaces = NamespacesReport(namespaces=("shop",))
            await self.send(subjects.namespaces(name), encode_export(spaces))

    async def send(self, subject: str, body: bytes) -> None:
        await self.bus.publish(Message(subject, body))

    async def write(self, resource: str, kind: str, name: str, sections: Any) -> None:
        key = ObjectKey(GROUP, resource, "shop", name)
        if resource == "serviceexports":
            key = export_key("shop", name)
        await self.store.create(key, _object(kind, name, **sections))

    async def share_well(self) -> None:
        """What is right must be dealt with after all that is not, and beside it."""
        port = PortReport(port=80, name="http")
        slices = (
            SliceReport(
                name="s", ports=(port,), endpoints=(EndpointReport(addresses=("10.0.0.9",)),)
            ),
        )
        report = ServiceReport(
            export=ExportReport(uid="u", since="2026-01-01T00:00:00Z"),
            service=ServiceFace(ports=(port,)),
            slices=slices,
        )
        await self.send(subjects.endpoints("eu-1", "shop", _GOOD), encode_export(report))
        await self.write("trafficpolicies", "TrafficPolicy", _GOOD, {"spec": {"service": _GOOD}})
        key = ObjectKey(GROUP, "trafficpolicies", "shop", _GOOD)
        async with asyncio.timeout(_DEADLINE.total_seconds()):
            while True:
                stored = self.store.mirror.get(key)
                splits = ((stored.manifest if stored else {}).get("status") or {}).get("splits")
                if splits and splits[0]["clusters"][0]["share"] == 10_000:
                    return
                await asyncio.sleep(0.005)


def _object(kind: str, name: str, **sections: Any) -> Manifest:
    metadata = {"name": name, "namespace": "shop", "uid": f"uid-{name}", "generation": 1}
    if kind == "Cluster":
        del metadata["namespace"]
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, **sections}


@asynccontextmanager
async def _trafficking() -> AsyncIterator[_Ground]:
    ground = _Ground()
    await ground.found()
    traffic = Traffic(ground.store, ground.bus, clock=SystemClock(), settings=Settings())
    tasks = [asyncio.create_task(run(), name=name) for name, run in traffic.tasks.items()]
    try:
        yield ground
        assert [task.get_name() for task in tasks if task.done()] == []
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _lived_on(logged: Sequence[Any]) -> None:
    bugs = [entry for entry in logged if entry["event"].endswith(".bug")]
    assert bugs == []


@_SETTINGS
@given(
    st.lists(
        st.tuples(st.sampled_from(_CLUSTERS), bodies | _reports.map(encode_export)), max_size=5
    )
)
def test_whatever_members_report_the_others_go_on(reports: list[tuple[str, bytes]]) -> None:
    async def play() -> None:
        async with _trafficking() as ground:
            for number, (cluster, body) in enumerate(reports):
                name = f"web-{number % 2}"
                await ground.send(subjects.endpoints(cluster, "shop", name), body)
            await ground.share_well()

    with structlog.testing.capture_logs() as logged:
        asyncio.run(play())
    _lived_on(logged)


@_SETTINGS
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [("trafficpolicies", "TrafficPolicy"), ("serviceexports", "ServiceExport")]
            ),
            _sections,
        ),
        max_size=4,
    ),
    st.lists(bodies | _words.map(lambda one: json.dumps(one).encode()), max_size=3),
)
def test_whatever_is_stored_or_told_of_traffic_the_rest_goes_on(
    objects: list[tuple[tuple[str, str], dict[str, Any]]], words: list[bytes]
) -> None:
    async def play() -> None:
        async with _trafficking() as ground:
            for number, ((resource, kind), sections) in enumerate(objects):
                await ground.write(resource, kind, f"odd-{number}", sections)
            for number, body in enumerate(words):
                await ground.bus.board(BOARD).put(f"shop.odd-{number}.lb", body)
            await ground.share_well()

    with structlog.testing.capture_logs() as logged:
        asyncio.run(play())
    _lived_on(logged)


async def _is_answered(bus: Bus, subject: str, body: bytes) -> bool:
    try:
        json.loads(await bus.request(subject, body, deadline=_DEADLINE))
    except RequestError as err:
        return 400 <= err.code < 500
    return True


@_SETTINGS
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *(API_TRAFFIC, API_TRAFFIC_EXPLAIN, API_TRAFFIC_RENDER),
                    *(API_TRAFFIC_REPORT, API_SERVICES),
                ]
            ),
            _asked,
        ),
        max_size=6,
    )
)
def test_every_request_about_traffic_is_answered(asked: list[tuple[str, bytes]]) -> None:
    async def play() -> None:
        async with _trafficking() as ground:
            await ground.share_well()
            for subject, body in asked:
                assert await _is_answered(ground.bus, subject, body), (subject, body[:300])

    with structlog.testing.capture_logs() as logged:
        asyncio.run(play())
    _lived_on(logged)
