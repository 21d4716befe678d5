"""What the catalogue tells of its services, and whom."""

from dataclasses import replace

from services.traffic.core.catalogue import (
    Endpoint,
    EndpointPort,
    Exporter,
    ImportedService,
    ServiceName,
    ServicePort,
)
from services.traffic.core.shares import by_endpoints
from services.traffic.reconcilers.catalogue import LiveCatalogue

SHOP = ServiceName("shop", "web")


def endpoint(cluster: str, address: str, *, ready: bool = True) -> Endpoint:
    ports = (EndpointPort(name="http", port=8080),)
    return Endpoint(cluster=cluster, addresses=(address,), ports=ports, ready=ready)


def exported(*exporters: Exporter) -> ImportedService:
    return ImportedService(service=SHOP, exporters={one.cluster: one for one in exporters})


EU = Exporter(
    cluster="eu", endpoints=(endpoint("eu", "10.0.0.1"), endpoint("eu", "10.0.0.2", ready=False))
)
LOST = Exporter(cluster="us", reachable=False, endpoints=(endpoint("us", "10.1.0.1"),))


def test_who_is_not_ready_or_out_of_reach_takes_no_traffic() -> None:
    service = exported(EU, LOST)
    assert [one.addresses for one in service.ready] == [("10.0.0.1",)]
    assert len(list(service.endpoints)) == 3


def test_an_endpoint_serves_a_port_of_the_same_name_and_protocol() -> None:
    one = EU.endpoints[0]
    assert one.port_of(ServicePort(name="http", port=80)) == 8080
    assert one.port_of(ServicePort(name="http", protocol="UDP", port=80)) is None
    assert one.port_of(ServicePort(name="admin", port=81)) is None


def test_a_change_is_told_once_and_what_stays_the_same_is_not() -> None:
    catalogue = LiveCatalogue()
    told: list[ServiceName] = []
    stop = catalogue.listen(told.append)
    catalogue.put(exported(EU))
    catalogue.put(exported(EU))
    assert (told, catalogue.version, len(catalogue)) == ([SHOP], 1, 1)
    catalogue.put(exported(EU, LOST))
    catalogue.remove(SHOP)
    catalogue.remove(SHOP)
    assert told == [SHOP] * 3
    assert (catalogue.get(SHOP), list(catalogue)) == (None, [])
    stop()
    catalogue.put(exported(EU))
    assert told == [SHOP] * 3


def test_a_backend_with_addresses_of_both_families_counts_once() -> None:
    one = endpoint("ap", "10.2.0.1")
    both = Exporter(
        cluster="ap",
        endpoints=(one, replace(one, addresses=("fd00::1",), address_type="IPv6")),
    )
    assert by_endpoints(exported(EU, both)).by_cluster == {"eu": 0.5, "ap": 0.5}


def test_without_a_policy_each_ready_endpoint_takes_the_same() -> None:
    more = Exporter(cluster="ap", endpoints=tuple(endpoint("ap", f"10.2.0.{n}") for n in range(3)))
    shares = by_endpoints(exported(EU, LOST, more))
    assert shares.by_cluster == {"eu": 0.25, "ap": 0.75}
    assert by_endpoints(exported(LOST)).by_cluster == {}
