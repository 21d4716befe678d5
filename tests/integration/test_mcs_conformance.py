"""What the conformance suite of Multi-Cluster Services expects, each expectation by its own name.

Of upstream's suite those parts that ask an API; what asks DNS is in `test_dns_*`, and what needs a
data plane is not here. Nothing but the wording of the names is upstream's.
"""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from shared.api.multicluster import SERVICE_NAME_LABEL, SOURCE_CLUSTER_LABEL
from shared.apimachinery.manifest import ObjectKey, copy, labels_of
from tests.traffic_ground import EU, US, TrafficGround, traffic_ground

pytestmark = pytest.mark.asyncio(loop_scope="module")

HTTP = {"name": "http", "port": 80, "protocol": "TCP"}
BOTH = (EU, US)


_number = itertools.count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def members(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TrafficGround]:
    async with traffic_ground(tmp_path_factory.mktemp("mcs"), EU, US) as found:
        yield found


@pytest.fixture
def ground(members: TrafficGround) -> TrafficGround:
    """Each test has a service of its own."""
    members.name = f"web-{next(_number)}"
    return members


async def exported(ground: TrafficGround, member: str = EU, **spec: Any) -> None:
    await ground.service(member, **spec)
    await ground.endpoints(member, "10.1.0.1")
    await ground.export(member)


async def imports_of(ground: TrafficGround, *, of: str = "ClusterSetIP") -> None:
    await ground.until(lambda: all(ground.spec(one).get("type") == of for one in BOTH))


async def conflict(ground: TrafficGround, reason: str) -> None:
    """A Conflict condition is told to each export."""
    await ground.until(
        lambda: all(ground.condition(one, "Conflict") == ("True", reason) for one in BOTH)
    )


async def test_exporting_a_clusterip_service_creates_an_import_in_each_cluster_unexporting_ends_it(
    ground: TrafficGround,
) -> None:
    await exported(ground)
    await ground.until(lambda: ground.condition(EU, "Valid") == ("True", "Valid"))
    await imports_of(ground)
    await ground.unexport(EU)
    await ground.until(lambda: not any(ground.imported(one) for one in BOTH))


async def test_the_import_exists_as_long_as_one_cluster_exports(ground: TrafficGround) -> None:
    await exported(ground)
    await exported(ground, US)
    await ground.until(lambda: ground.slices(EU).keys() == {EU, US})
    await imports_of(ground)
    await ground.unexport(EU)
    await ground.until(lambda: ground.slices(US).keys() == {US})
    assert ground.imported(EU)
    assert ground.imported(US)
    await ground.unexport(US)
    await ground.until(lambda: not any(ground.imported(one) for one in BOTH))


async def test_only_exported_labels_and_annotations_are_propagated(ground: TrafficGround) -> None:
    await ground.service(EU)
    await ground.export(
        EU, exportedLabels={"team": "shop"}, exportedAnnotations={"contact": "quay"}
    )
    await imports_of(ground)
    metadata = ground.imported(US)["metadata"]
    assert metadata["labels"]["team"] == "shop"
    assert metadata["annotations"]["contact"] == "quay"
    assert "private" not in metadata["annotations"]


async def test_conflicting_labels_and_annotations_go_to_the_oldest_and_are_told(
    ground: TrafficGround,
) -> None:
    for member, since, text in ((EU, "2026-02-01", "younger"), (US, "2026-01-01", "older")):
        await ground.service(member)
        told = {text: "true"}
        await ground.export(member, since=since, exportedLabels=told, exportedAnnotations=told)
    await conflict(ground, "LabelsConflict,AnnotationsConflict")
    await ground.until(lambda: "older" in labels_of(ground.imported(EU)))
    metadata = ground.imported(EU)["metadata"]
    assert "younger" not in metadata["labels"]
    assert "younger" not in metadata["annotations"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sessionAffinity", "ClientIP"),
        ("internalTrafficPolicy", "Local"),
        ("trafficDistribution", "PreferClose"),
    ],
)
async def test_the_import_matches_the_exported_service(
    ground: TrafficGround, field: str, value: str
) -> None:
    more = {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 99}}}
    rest = more if field == "sessionAffinity" else {}
    await exported(ground, **{field: value}, **rest)
    await imports_of(ground)
    spec = ground.spec(US)
    assert spec[field] == value
    assert spec.get("sessionAffinityConfig") == rest.get("sessionAffinityConfig")


async def test_an_ip_is_allocated_for_each_family(ground: TrafficGround) -> None:
    await exported(ground, ipFamilies=["IPv4", "IPv6"])
    derived = await ground.until(
        lambda: (found := ground.derived(US)) and found["spec"].get("clusterIP") and found
    )
    # As the member's own API server gives them.
    given = copy(derived)
    given["spec"]["clusterIPs"] = ["10.96.7.7", "fd00::7"]
    given["spec"]["clusterIP"] = "10.96.7.7"
    await ground.put(US, ObjectKey("", "services", "shop", derived["metadata"]["name"]), given)
    spec = await ground.until(lambda: (spec := ground.spec(US)).get("ips") and spec)
    assert spec["ips"] == ["10.96.7.7", "fd00::7"]
    assert spec["ipFamilies"] == ["IPv4", "IPv6"]


async def test_the_ports_match_those_of_the_exported_service(ground: TrafficGround) -> None:
    await exported(ground)
    await imports_of(ground)
    assert ground.spec(US).get("ports") == [HTTP]


async def test_the_union_of_ports_is_exposed_and_a_conflict_raised(ground: TrafficGround) -> None:
    await exported(ground)
    more = {"name": "stcp", "port": 142, "protocol": "SCTP"}
    await exported(ground, US, ports=[HTTP, more])
    await conflict(ground, "PortConflict")
    await ground.until(lambda: ground.spec(EU).get("ports") == [HTTP, more])


async def test_of_conflicting_ports_the_oldest_wins_and_traffic_goes_to_the_cluster_that_has_it(
    ground: TrafficGround,
) -> None:
    await exported(ground)
    await ground.service(US, ports=[{**HTTP, "port": 81}])
    await ground.endpoints(US, "10.2.0.1")
    await ground.export(US, since="2026-02-01")
    await conflict(ground, "PortConflict")
    await ground.until(lambda: ground.spec(US).get("ports") == [HTTP])
    await ground.until(lambda: ground.slices(US).keys() == {EU})


async def test_a_headless_service_is_imported_as_headless_without_an_ip(
    ground: TrafficGround,
) -> None:
    await exported(ground, clusterIP="None", clusterIPs=["None"])
    await imports_of(ground, of="Headless")
    await ground.until(lambda: ground.slices(US).keys() == {EU})
    assert "ips" not in ground.spec(US)
    assert ground.derived(US)["spec"]["clusterIP"] == "None"
    await ground.unexport(EU)
    await ground.until(lambda: not any(ground.imported(one) for one in BOTH))


async def test_an_externalname_service_makes_the_export_invalid(ground: TrafficGround) -> None:
    await ground.service(EU, type="ExternalName", externalName="example.com", clusterIP="")
    await ground.export(EU)
    await ground.until(lambda: ground.condition(EU, "Valid") == ("False", "InvalidServiceType"))
    assert not ground.imported(EU)


async def test_conflicting_headlessness_goes_to_the_oldest_and_is_told(
    ground: TrafficGround,
) -> None:
    await exported(ground)
    await ground.service(US, clusterIP="None", clusterIPs=["None"])
    await ground.export(US, since="2026-02-01")
    await conflict(ground, "TypeConflict")
    await imports_of(ground)


async def test_endpoint_slices_bear_the_labels_and_are_deleted_by_unexporting(
    ground: TrafficGround,
) -> None:
    await exported(ground)
    await ground.until(lambda: all(ground.slices(one).keys() == {EU} for one in BOTH))
    for one in BOTH:
        labels = labels_of(ground.slices(one)[EU])
        assert labels[SERVICE_NAME_LABEL] == ground.name
        assert labels[SOURCE_CLUSTER_LABEL] == EU
        managed = labels["endpointslice.kubernetes.io/managed-by"]
        assert managed != "endpointslice-controller.k8s.io"
    await ground.unexport(EU)
    await ground.until(lambda: not any(ground.slices(one) for one in BOTH))


async def test_a_service_that_exists_in_two_clusters_is_reached_in_the_exporting_one_only(
    ground: TrafficGround,
) -> None:
    await ground.service(US)
    await ground.endpoints(US, "10.2.0.1")
    await exported(ground)
    await ground.until(lambda: ground.reached(US) == {"10.1.0.1"})
    clusters = [{"cluster": EU}]
    await ground.until(
        lambda: (ground.imported(US).get("status") or {}).get("clusters") == clusters
    )
