"""DaemonSets: one pod on every node that may take it."""

from typing import Any

from services.simulator.core import pods
from services.simulator.core.nodes import NodeShape, cordoned, make_node
from services.simulator.core.plan import DAEMON_SETS, NODES, key_of
from shared.apimachinery.manifest import Manifest, labels_of
from tests.unit.simulator.simulator_model import Model, pod_template, workload

SHAPE = NodeShape(
    cpu="4", memory="8Gi", pods=10, region="eu", zone="eu-a", provider="", cluster="c", version="v1"
)


def add_nodes(model: Model, count: int) -> list[Manifest]:
    return [
        model.add(NODES, make_node(f"n{number}", number, SHAPE, "2026-01-01T00:00:00Z"))
        for number in range(1, count + 1)
    ]


def status(model: Model) -> dict[str, Any]:
    return model.status(DAEMON_SETS, "web")


def test_every_node_gets_one_pod_and_later_nodes_too() -> None:
    model = Model()
    add_nodes(model, 2)
    model.add(DAEMON_SETS, workload("DaemonSet"))
    model.run()
    assert status(model)["numberReady"] == status(model)["desiredNumberScheduled"] == 2

    model.add(NODES, make_node("n3", 3, SHAPE, "2026-01-01T00:00:00Z"))
    model.run()
    assert len(model.pods()) == 3


def test_a_cordoned_node_keeps_its_pod() -> None:
    model = Model()
    node = add_nodes(model, 1)[0]
    model.add(DAEMON_SETS, workload("DaemonSet"))
    model.run()
    model.view.put(key_of(NODES, node), cordoned(node, unschedulable=True))
    model.run()
    assert len(model.pods()) == 1


def test_a_node_selector_keeps_pods_off_other_nodes() -> None:
    model = Model()
    node = add_nodes(model, 2)[0]
    labels = {**labels_of(node), "disk": "fast"}
    model.view.put(
        key_of(NODES, node), {**node, "metadata": {**node["metadata"], "labels": labels}}
    )
    template = pod_template()
    template["spec"]["nodeSelector"] = {"disk": "fast"}
    model.add(DAEMON_SETS, workload("DaemonSet", template=template))
    model.run()
    assert status(model)["desiredNumberScheduled"] == 1


def test_an_update_takes_down_no_more_than_allowed() -> None:
    least: list[int] = []

    def count(model: Model) -> None:
        least.append(sum(pods.is_ready(pod) for pod in model.pods()))

    model = Model()
    add_nodes(model, 4)
    model.add(DAEMON_SETS, workload("DaemonSet"))
    model.run()
    model.check = count
    model.change_spec(DAEMON_SETS, "web", template=pod_template(image="web:2"))
    model.run()
    assert min(least) == 3
    assert status(model)["updatedNumberScheduled"] == 4
    assert {pod["spec"]["containers"][0]["image"] for pod in model.pods()} == {"web:2"}
