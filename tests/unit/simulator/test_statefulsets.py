"""StatefulSets: one after the other, each with its own disks."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.simulator.core import pods
from services.simulator.core.plan import CLAIMS, REVISIONS, STATEFUL_SETS
from shared.apimachinery.manifest import Manifest, labels_of, name_of
from tests.unit.simulator.simulator_model import Model, pod_template, workload

CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def stateful_set(replicas: int = 3, **spec: Any) -> Manifest:
    given_spec: dict[str, Any] = {"serviceName": "web", "volumeClaimTemplates": [CLAIM], **spec}
    return workload("StatefulSet", replicas=replicas, **given_spec)


def names(model: Model) -> list[str]:
    return [name_of(pod) for pod in model.pods()]


def test_the_next_pod_comes_when_the_one_before_is_ready() -> None:
    model = Model()
    model.add(STATEFUL_SETS, stateful_set(3))
    model.settle()
    assert names(model) == ["web-0"]

    model.ready()
    model.settle()
    assert names(model) == ["web-0", "web-1"]
    assert model.status(STATEFUL_SETS, "web")["replicas"] == 2


def test_parallel_pods_come_together() -> None:
    model = Model()
    model.add(STATEFUL_SETS, stateful_set(3, podManagementPolicy="Parallel"))
    model.settle()
    assert names(model) == ["web-0", "web-1", "web-2"]


def test_ordinals_may_start_elsewhere() -> None:
    model = Model()
    model.add(STATEFUL_SETS, stateful_set(2, ordinals={"start": 5}))
    model.run()
    assert names(model) == ["web-5", "web-6"]
    assert labels_of(model.pods()[0])["apps.kubernetes.io/pod-index"] == "5"


def test_each_pod_has_a_claim_that_outlives_it() -> None:
    model = Model()
    model.add(STATEFUL_SETS, stateful_set(2))
    model.run()
    volume = model.pods()[0]["spec"]["volumes"][0]
    assert volume == {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}}

    model.change_spec(STATEFUL_SETS, "web", replicas=0)
    model.run()
    assert names(model) == []
    claims = sorted(name_of(claim) for claim in model.view.all(CLAIMS, "shop"))
    assert claims == ["data-web-0", "data-web-1"]


def test_an_update_goes_from_the_last_pod_down_and_waits_for_each() -> None:
    model = Model()
    model.add(STATEFUL_SETS, stateful_set(3))
    model.run()
    before = model.status(STATEFUL_SETS, "web")["currentRevision"]
    model.change_spec(STATEFUL_SETS, "web", template=pod_template(image="web:2"))
    model.settle()

    fresh = [name_of(pod) for pod in model.pods() if not pods.is_ready(pod)]
    assert fresh == ["web-2"]
    status = model.status(STATEFUL_SETS, "web")
    assert status["currentRevision"] == before != status["updateRevision"]
    assert (status["currentReplicas"], status["updatedReplicas"]) == (2, 1)

    model.run()
    status = model.status(STATEFUL_SETS, "web")
    assert status["currentRevision"] == status["updateRevision"]
    assert status["currentReplicas"] == status["updatedReplicas"] == status["readyReplicas"] == 3
    assert len(model.view.all(REVISIONS, "shop")) == 2


def test_pods_below_the_partition_stay_as_they_were() -> None:
    model = Model()
    update = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    model.add(STATEFUL_SETS, stateful_set(3, updateStrategy=update))
    model.run()
    model.change_spec(STATEFUL_SETS, "web", template=pod_template(image="web:2"))
    model.run()

    images = [pod["spec"]["containers"][0]["image"] for pod in model.pods()]
    assert images == ["web:1", "web:1", "web:2"]


@given(steps=st.lists(st.tuples(st.integers(0, 4), st.integers(1, 2), st.booleans()), max_size=8))
def test_any_history_ends_with_what_was_asked_last(steps: list[tuple[int, int, bool]]) -> None:
    model = Model()
    model.add(STATEFUL_SETS, stateful_set(2))
    for replicas, version, settle in steps:
        template = pod_template(image=f"web:{version}")
        model.change_spec(STATEFUL_SETS, "web", replicas=replicas, template=template)
        if settle:
            model.settle()
        else:
            model.ready()
    model.run()

    spec, status = model.get(STATEFUL_SETS, "web")["spec"], model.status(STATEFUL_SETS, "web")
    assert names(model) == [f"web-{number}" for number in range(spec["replicas"])]
    assert status.get("readyReplicas", 0) == status["replicas"] == spec["replicas"]
    assert status["currentRevision"] == status["updateRevision"]
