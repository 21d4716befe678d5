"""What the view of works shows, and what it keeps to itself."""

import msgspec

from services.gateway.core.works import HIDDEN, with_manifest, work_key, work_manifest
from shared.api.drift import DriftedField, DriftReport
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.events.work import WorkOrder, WorkReport

SECRET = ObjectKey("", "secrets", "shop", "password")


def order(manifest: Manifest) -> WorkOrder:
    return WorkOrder(
        api_version="v1",
        kind=manifest["kind"],
        resource=f"{manifest['kind'].lower()}s",
        namespaced=True,
        namespace="shop",
        name="password",
        digest="d",
        template_uid="u",
        template_generation=1,
        manifest=msgspec.Raw(msgspec.json.encode(manifest)),
    )


def shown(manifest: Manifest, report: WorkReport | None = None) -> Manifest:
    found = order(manifest)
    key = work_key("eu-1", SECRET, found.kind)
    return with_manifest(work_manifest(key, "eu-1", found, 7, report), found)


def test_of_a_secret_only_the_names_are_shown() -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "data": {"p": "cGFzcw=="}}
    found = shown(manifest)["spec"]["manifest"]
    assert found == {**manifest, "data": {"p": HIDDEN}}
    odd = {"apiVersion": "v1", "kind": "Secret", "stringData": "secret"}
    assert "secret" not in shown(odd)["spec"]["manifest"].values()


def test_everything_else_is_shown_as_ordered() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"p": "pass"}}
    assert shown(manifest)["spec"]["manifest"] == manifest


def test_times_are_to_the_second_where_kubernetes_has_them_so() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap"}
    moment = "2026-11-23T22:17:39.888594Z"
    report = WorkReport(
        generation=7,
        template_uid="u",
        template_generation=1,
        applied=True,
        present=True,
        observed_time=moment,
    )
    found = shown(manifest, report)
    assert found["metadata"]["creationTimestamp"] == "2026-11-23T22:17:39Z"
    (condition,) = found["status"]["conditions"]
    assert condition["lastTransitionTime"] == "2026-11-23T22:17:39Z"
    assert found["status"]["observedTime"] == moment


def test_drift_that_stands_is_shown_as_on_the_binding() -> None:
    field = DriftedField(path=".data.a", actor="kubectl", ordered='"1"')
    since = "2026-11-23T22:17:39.888594Z"
    report = WorkReport(
        generation=7,
        template_uid="u",
        template_generation=1,
        applied=True,
        present=True,
        observed_time=since,
        drift=DriftReport(state="Reported", since=since, fields=(field,)),
    )
    _, drifted = shown({"apiVersion": "v1", "kind": "ConfigMap"}, report)["status"]["conditions"]
    assert (drifted["type"], drifted["status"], drifted["reason"]) == (
        "Drifted",
        "True",
        "Reported",
    )
    assert drifted["message"] == f'.data.a "1" -> (removed) by kubectl, since {since}'
