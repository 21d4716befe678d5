"""Deployments roll as real ones do, and say so in the same words."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.core import pods
from services.simulator.core.plan import DEPLOYMENTS, REPLICA_SETS
from services.simulator.core.rollout import read_rollout, size
from shared.apimachinery.manifest import Manifest, annotations_of, name_of
from tests.unit.simulator.simulator_model import Model, condition_of, pod_template, workload

LIMITS = st.sampled_from([0, 1, 2, "0%", "25%", "50%", "100%"])


def deployment(replicas: int = 3, **spec: Any) -> Manifest:
    return workload("Deployment", replicas=replicas, **spec)


def rolling(surge: object, unavailable: object) -> dict[str, object]:
    return {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    }


def test_a_new_deployment_progresses_and_becomes_available() -> None:
    model = Model()
    model.add(DEPLOYMENTS, deployment(2))
    model.settle()

    status = model.status(DEPLOYMENTS, "web")
    replica_set = name_of(model.view.all(REPLICA_SETS, "shop")[0])
    assert (status["replicas"], status["unavailableReplicas"]) == (2, 2)
    assert condition_of(status, "Available")["reason"] == "MinimumReplicasUnavailable"
    progressing = condition_of(status, "Progressing")
    assert progressing["message"] == f'ReplicaSet "{replica_set}" is progressing.'

    model.ready()
    model.settle()
    status = model.status(DEPLOYMENTS, "web")
    assert status["availableReplicas"] == status["readyReplicas"] == status["updatedReplicas"] == 2
    assert "unavailableReplicas" not in status
    assert status["observedGeneration"] == 1
    assert condition_of(status, "Available") | {"lastTransitionTime": "", "lastUpdateTime": ""} == {
        "type": "Available",
        "status": "True",
        "reason": "MinimumReplicasAvailable",
        "message": "Deployment has minimum availability.",
        "lastTransitionTime": "",
        "lastUpdateTime": "",
    }
    progressing = condition_of(status, "Progressing")
    assert progressing["reason"] == "NewReplicaSetAvailable"
    assert progressing["message"] == f'ReplicaSet "{replica_set}" has successfully progressed.'


def test_a_deployment_without_replicas_is_complete_at_once() -> None:
    model = Model()
    model.add(DEPLOYMENTS, deployment(0))
    model.settle()

    status = model.status(DEPLOYMENTS, "web")
    assert condition_of(status, "Progressing")["reason"] == "NewReplicaSetAvailable"
    assert model.pods() == []


def test_a_rollout_that_gets_nowhere_runs_out_of_time() -> None:
    model = Model()
    model.add(DEPLOYMENTS, deployment(1, progressDeadlineSeconds=30))
    model.settle()
    model.pass_time(31)
    model.settle()

    progressing = condition_of(model.status(DEPLOYMENTS, "web"), "Progressing")
    assert (progressing["status"], progressing["reason"]) == ("False", "ProgressDeadlineExceeded")


def test_scaling_changes_the_replica_set_and_not_the_template() -> None:
    model = Model()
    model.add(DEPLOYMENTS, deployment(2))
    model.run()
    model.change_spec(DEPLOYMENTS, "web", replicas=5)
    model.run()

    (only,) = model.view.all(REPLICA_SETS, "shop")
    assert size(only) == 5
    assert annotations_of(only)["deployment.kubernetes.io/desired-replicas"] == "5"
    assert model.status(DEPLOYMENTS, "web")["readyReplicas"] == 5


def test_going_back_to_an_old_template_uses_its_replica_set_with_a_new_revision() -> None:
    model = Model()
    model.add(DEPLOYMENTS, deployment(2))
    model.run()
    first = model.get(DEPLOYMENTS, "web")["spec"]["template"]
    model.change_spec(DEPLOYMENTS, "web", template=pod_template(image="web:2"))
    model.run()
    model.change_spec(DEPLOYMENTS, "web", template=first)
    model.run()

    assert len(model.view.all(REPLICA_SETS, "shop")) == 2
    assert annotations_of(model.get(DEPLOYMENTS, "web"))["deployment.kubernetes.io/revision"] == "3"


def test_recreate_never_runs_old_and_new_together() -> None:
    def never_both(model: Model) -> None:
        images = {pod["spec"]["containers"][0]["image"] for pod in model.pods()}
        assert len(images) <= 1

    model = Model(never_both)
    model.add(DEPLOYMENTS, deployment(3, strategy={"type": "Recreate"}))
    model.run()
    model.change_spec(DEPLOYMENTS, "web", template=pod_template(image="web:2"))
    model.run()
    assert model.status(DEPLOYMENTS, "web")["updatedReplicas"] == 3


def test_a_paused_deployment_scales_but_does_not_roll() -> None:
    model = Model()
    model.add(DEPLOYMENTS, deployment(2))
    model.run()
    template = pod_template(image="web:2")
    model.change_spec(DEPLOYMENTS, "web", paused=True, template=template, replicas=4)
    model.run()
    assert len(model.view.all(REPLICA_SETS, "shop")) == 1
    assert len(model.pods()) == 4
    status = model.status(DEPLOYMENTS, "web")
    assert condition_of(status, "Progressing")["reason"] == "DeploymentPaused"

    model.change_spec(DEPLOYMENTS, "web", paused=False)
    model.run()
    status = model.status(DEPLOYMENTS, "web")
    assert status["updatedReplicas"] == status["replicas"] == 4


def test_no_more_old_replica_sets_are_kept_than_asked() -> None:
    model = Model()
    model.add(DEPLOYMENTS, deployment(1, revisionHistoryLimit=2))
    for number in range(5):
        model.change_spec(DEPLOYMENTS, "web", template=pod_template(image=f"web:{number}"))
        model.run()
    assert len(model.view.all(REPLICA_SETS, "shop")) == 3


@given(replicas=st.integers(1, 8), surge=LIMITS, unavailable=LIMITS, data=st.data())
def test_a_rolling_update_stays_between_its_limits(
    replicas: int, surge: object, unavailable: object, data: st.DataObject
) -> None:
    """However pods become ready, enough are available and not too many exist."""

    def within(model: Model) -> None:
        rollout = read_rollout(model.get(DEPLOYMENTS, "web"), model.view.all(REPLICA_SETS, "shop"))
        active = [pod for pod in model.pods() if pods.is_active(pod)]
        assert len(active) <= rollout.most
        assert sum(pods.is_ready(pod) for pod in active) >= rollout.least_available

    model = Model()
    model.add(DEPLOYMENTS, deployment(replicas, strategy=rolling(surge, unavailable)))
    model.run()
    model.check = within
    model.change_spec(DEPLOYMENTS, "web", template=pod_template(image="web:2"))
    for _ in range(200):
        model.settle()
        waiting = [name_of(pod) for pod in model.pods() if not pods.is_ready(pod)]
        if not waiting:
            break
        chosen = data.draw(st.sets(st.sampled_from(waiting), min_size=1))
        model.ready(*chosen)
    status = model.status(DEPLOYMENTS, "web")
    assert (
        status["updatedReplicas"] == status["replicas"] == status["availableReplicas"] == replicas
    )


STEPS = st.one_of(
    st.integers(0, 6).map(lambda replicas: ("scale", replicas)),
    st.integers(1, 3).map(lambda version: ("update", version)),
    st.booleans().map(lambda paused: ("pause", paused)),
    st.just(("settle", 0)),
    st.just(("ready", 0)),
)


@given(steps=st.lists(STEPS, max_size=12), recreate=st.booleans())
def test_any_history_ends_with_what_was_asked_last(
    steps: list[tuple[str, int]], *, recreate: bool
) -> None:
    model = Model()
    strategy = {"type": "Recreate"} if recreate else rolling("25%", "25%")
    model.add(DEPLOYMENTS, deployment(3, strategy=strategy))
    for step, value in steps:
        match step:
            case "scale":
                model.change_spec(DEPLOYMENTS, "web", replicas=value)
            case "update":
                template = pod_template(image=f"web:{value}")
                model.change_spec(DEPLOYMENTS, "web", template=template)
            case "pause":
                model.change_spec(DEPLOYMENTS, "web", paused=bool(value))
            case "settle":
                model.settle()
            case _:
                model.ready()
    model.change_spec(DEPLOYMENTS, "web", paused=False)
    model.run()

    found = model.get(DEPLOYMENTS, "web")
    wanted = found["spec"]["replicas"]
    images = [pod["spec"]["containers"][0]["image"] for pod in model.pods()]
    assert images == [found["spec"]["template"]["spec"]["containers"][0]["image"]] * wanted
    assert found["status"].get("availableReplicas", 0) == wanted
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]


@pytest.mark.parametrize(("wanted", "surge", "unavailable"), [(10, 3, 2), (3, 1, 0), (1, 1, 0)])
def test_percentages_round_up_for_surge_and_down_for_unavailable(
    wanted: int, surge: int, unavailable: int
) -> None:
    rollout = read_rollout(deployment(wanted, strategy=rolling("25%", "25%")), [])
    assert (rollout.surge, rollout.unavailable) == (surge, unavailable)
