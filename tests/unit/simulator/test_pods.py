"""What can be read off a pod, and what it needs before it can start."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.simulator.core import pods
from services.simulator.core.needs import missing_need, refused_account
from services.simulator.core.plan import CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS
from services.simulator.core.status import condition, set_condition
from services.simulator.core.view import View
from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey

NOW = "2026-01-01T00:00:00Z"


def pod(**spec: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "main", "image": "web:1"}], **spec},
    }


def view_with(resource: GroupResource, name: str, **parts: Any) -> View:
    view = View()
    manifest = {"metadata": {"name": name, "namespace": "shop"}, **parts}
    view.put(ObjectKey(*resource, "shop", name), manifest)
    return view


def test_a_pod_goes_from_waiting_to_ready() -> None:
    waiting = pods.bound(pod(), "n1", "172.16.0.1", NOW)
    assert not pods.is_ready(waiting)
    state = waiting["status"]["containerStatuses"][0]["state"]
    assert state == {"waiting": {"reason": "ContainerCreating"}}

    running = pods.running(waiting, "10.0.0.1", "2026-01-01T00:00:05Z")
    assert pods.is_ready(running)
    times = {one["type"]: one["lastTransitionTime"] for one in running["status"]["conditions"]}
    assert times["PodScheduled"] == NOW
    assert times["Ready"] == "2026-01-01T00:00:05Z"


def test_a_ready_pod_is_available_after_its_minimum_time() -> None:
    running = pods.running(pods.bound(pod(), "n1", "h", NOW), "10.0.0.1", NOW)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert pods.available_in(running, 10, start + timedelta(seconds=4)) == timedelta(seconds=6)
    assert pods.available_in(running, 10, start + timedelta(seconds=10)) == timedelta(0)
    assert pods.available_in(pod(), 10, start) is None


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
    ],
)
def test_quality_of_service_follows_requests_and_limits(
    resources: dict[str, Any], expected: str
) -> None:
    assert pods.qos_class({"containers": [{"name": "c", "resources": resources}]}) == expected


def test_a_missing_config_map_keeps_a_container_from_starting() -> None:
    needy = pod()
    needy["spec"]["containers"][0]["envFrom"] = [{"configMapRef": {"name": "settings"}}]
    expected = ("CreateContainerConfigError", 'configmap "settings" not found')
    assert missing_need(needy, View()) == expected
    assert missing_need(needy, view_with(CONFIG_MAPS, "settings")) is None


def test_a_missing_key_of_a_secret_is_named() -> None:
    needy = pod()
    reference = {"secretKeyRef": {"name": "pay", "key": "token"}}
    needy["spec"]["containers"][0]["env"] = [{"name": "T", "valueFrom": reference}]
    found = missing_need(needy, view_with(SECRETS, "pay", data={"other": ""}))
    assert found == ("CreateContainerConfigError", "couldn't find key token in Secret shop/pay")
    reference["secretKeyRef"]["optional"] = True  # type: ignore[assignment]
    assert missing_need(needy, View()) is None


def test_pods_of_an_unknown_service_account_are_refused() -> None:
    template = {"spec": {"serviceAccountName": "shop"}}
    assert 'serviceaccount "shop" not found' in refused_account(template, "shop", View())
    assert refused_account(template, "shop", view_with(SERVICE_ACCOUNTS, "shop")) == ""
    assert refused_account({}, "shop", View()) == ""


def test_a_condition_keeps_its_time_while_its_status_holds() -> None:
    first = set_condition([], condition("Ready", True, "A", "", NOW))
    later = "2026-01-02T00:00:00Z"
    same = set_condition(first, condition("Ready", True, "A", "", later))
    assert same == first
    reason = set_condition(first, condition("Ready", True, "B", "", later))
    assert (reason[0]["reason"], reason[0]["lastTransitionTime"]) == ("B", NOW)
    flipped = set_condition(first, condition("Ready", False, "A", "", later))
    assert flipped[0]["lastTransitionTime"] == later


def test_a_view_finds_by_owner_node_and_labels_and_forgets() -> None:
    view, owner = View(), {"metadata": {"uid": "u1"}}
    one = pod(nodeName="n1")
    one["metadata"]["ownerReferences"] = [{"uid": "u1", "controller": True}]
    key = ObjectKey("", "pods", "shop", "web")
    view.put(key, one)
    pods_resource = GroupResource("", "pods")
    assert view.owned_by(owner, pods_resource) == [one]
    assert view.pods_on("n1") == [one]
    assert view.pods_with("shop", {"app": "web"}) == [one]
    view.remove(key)
    assert view.owned_by(owner, pods_resource) == view.pods_on("n1") == []
    assert view.pods_with("shop", {"app": "web"}) == []
