"""What a workload asks for is reckoned as Kubernetes' scheduler reckons it."""

import pytest

from shared.errors import InvalidObject
from shared.interpreter.registry import BUILT_IN
from shared.interpreter.replicas import ReplicaDemand


def demand_of(manifest):
    return BUILT_IN.of(manifest).demand(manifest)


def a_deployment(pod=None, **spec):
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {**spec, "template": {"spec": pod or {}}},
    }


def a_container(restart=None, limits=None, **requests):
    found = {"name": "x", "resources": {"requests": requests, "limits": limits or {}}}
    return {**found, "restartPolicy": restart} if restart else found


def test_a_kind_without_replicas_asks_for_none():
    assert demand_of({"apiVersion": "v1", "kind": "ConfigMap"}) is None


@pytest.mark.parametrize(("spec", "count"), [({}, 1), ({"replicas": 0}, 0), ({"replicas": 7}, 7)])
def test_replicas_default_to_one(spec, count):
    assert demand_of(a_deployment(**spec)) == ReplicaDemand(count=count, requests={})


def test_a_job_counts_its_parallelism():
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"parallelism": 4}}
    assert demand_of(job) == ReplicaDemand(count=4, requests={})


def test_containers_add_up_and_limits_stand_in_for_requests():
    pod = {"containers": [a_container(cpu="250m"), a_container(cpu="1", limits={"memory": "1Gi"})]}
    assert demand_of(a_deployment(pod)).requests == {"cpu": "1250m", "memory": "1Gi"}


def test_the_largest_init_container_counts_where_it_is_more():
    pod = {
        "containers": [a_container(cpu="1", memory="1Gi")],
        "initContainers": [a_container(cpu="2"), a_container(cpu="500m", memory="3Gi")],
    }
    assert demand_of(a_deployment(pod)).requests == {"cpu": "2", "memory": "3Gi"}


def test_restartable_init_containers_run_beside_what_comes_after_them():
    pod = {
        "containers": [a_container(cpu="1")],
        "initContainers": [a_container("Always", cpu="500m"), a_container(cpu="2")],
    }
    assert demand_of(a_deployment(pod)).requests == {"cpu": "2500m"}
    pod["initContainers"].reverse()
    assert demand_of(a_deployment(pod)).requests == {"cpu": "2"}


def test_overhead_is_added():
    pod = {"containers": [a_container(cpu="1")], "overhead": {"cpu": "100m", "memory": "64Mi"}}
    assert demand_of(a_deployment(pod)).requests == {"cpu": "1100m", "memory": "64Mi"}


@pytest.mark.parametrize("replicas", ["3", -1, 1.5, True, 2**31])
def test_a_count_that_is_none_is_refused_with_its_path(replicas):
    with pytest.raises(InvalidObject) as refused:
        demand_of(a_deployment(replicas=replicas))
    assert [error.path for error in refused.value.fields] == ["spec.replicas"]


def test_an_unparsable_quantity_is_refused_with_its_path():
    with pytest.raises(InvalidObject) as refused:
        demand_of(a_deployment({"containers": [a_container(), a_container(cpu="lots")]}))
    (error,) = refused.value.fields
    assert error.path == "spec.template.spec.containers[1].resources[cpu]"
    assert "is not a quantity" in error.message


@pytest.mark.parametrize("pod", ["x", {"containers": "x"}, {"containers": ["x"]}, {"overhead": 1}])
def test_a_shape_that_is_wrong_asks_for_nothing(pod):
    assert demand_of(a_deployment(pod)).requests == {}
