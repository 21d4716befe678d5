"""What travels from a template to a member, and what stays at the hub."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.propagator.core import render as rendering
from services.propagator.core.marks import fill_generation, is_managed, work_generation_of
from services.propagator.core.render import render_namespace
from shared.apimachinery.manifest import Manifest, copy, decode, encode
from shared.events.orders import MANAGED_LABEL, TEMPLATE_UID, WORK_GENERATION, stamp
from shared.interpreter.registry import BUILT_IN


def render(template: Manifest, replicas: int | None = None) -> Manifest:
    return rendering.render(template, BUILT_IN.of(template), replicas)


def a_template(kind: str = "ConfigMap", api_version: str = "v1", **sections: Any) -> Manifest:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": "a",
            "namespace": "shop",
            "uid": "u",
            "resourceVersion": "5",
            "generation": 2,
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "managedFields": [{"manager": "kubectl"}],
            "ownerReferences": [{"uid": "x"}],
            "finalizers": ["hub/one"],
            "labels": {"app": "a", "hanse.dev/managed": "true"},
            "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "note": "kept",
                "hanse.dev/anything": "hub",
            },
        },
        "status": {"phase": "Bound"},
        **sections,
    }


def test_only_names_labels_and_annotations_of_the_metadata_travel() -> None:
    template = a_template(data={"a": "b"})
    before = copy(template)
    assert render(template) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "a",
            "namespace": "shop",
            "labels": {"app": "a"},
            "annotations": {"note": "kept"},
        },
        "data": {"a": "b"},
    }
    assert template == before


def test_a_share_replaces_the_replicas() -> None:
    template = a_template("Deployment", "apps/v1", spec={"replicas": 9, "template": {}})
    assert render(template, 4)["spec"] == {"replicas": 4, "template": {}}
    assert render(template)["spec"]["replicas"] == 9
    assert render(a_template(data={}), 4)["data"] == {}


def test_a_job_leaves_the_hubs_selector_behind_unless_its_author_chose_it() -> None:
    labels = {"batch.kubernetes.io/controller-uid": "u", "controller-uid": "u", "app": "a"}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"controller-uid": "u"}},
        "template": {"metadata": {"labels": labels}},
    }
    rendered = render(a_template("Job", "batch/v1", spec=spec))
    assert rendered["spec"] == {"template": {"metadata": {"labels": {"app": "a"}}}}
    manual = {**spec, "manualSelector": True}
    assert render(a_template("Job", "batch/v1", spec=manual))["spec"] == manual


def test_a_namespace_travels_without_its_finalizers_and_exists_without_a_template() -> None:
    template = a_template("Namespace", spec={"finalizers": ["kubernetes"]})
    assert "spec" not in render_namespace("a", template)
    assert render_namespace("a", None)["metadata"] == {"name": "a"}


def test_a_pod_travels_without_the_containers_that_were_added_to_look_into_it() -> None:
    spec = {"containers": [{"name": "main"}]}
    debugged = a_template("Pod", spec={**spec, "ephemeralContainers": [{"name": "look"}]})
    assert render(debugged)["spec"] == spec


def test_an_account_keeps_its_token_secrets_at_home() -> None:
    template = a_template("ServiceAccount", secrets=[{"name": "t"}], imagePullSecrets=[])
    assert set(render(template)) == {"apiVersion", "kind", "metadata", "imagePullSecrets"}


def test_the_marks_go_on_last_and_at_the_front() -> None:
    manifest = render(a_template(data={}))
    manifest["metadata"]["annotations"][WORK_GENERATION] = "forged"
    body = fill_generation(encode(stamp(manifest, "u")), 42)
    stamped = decode(body)
    assert stamped["metadata"]["labels"] == {"app": "a", MANAGED_LABEL: "true"}
    assert stamped["metadata"]["annotations"] == {
        WORK_GENERATION: "42",
        TEMPLATE_UID: "u",
        "note": "kept",
    }
    assert is_managed(stamped)
    assert work_generation_of(stamped) == 42


json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=20) | st.just(WORK_GENERATION), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(data=json, label=st.text(max_size=10), sequence=st.integers(1, 2**60))
def test_filling_the_generation_touches_nothing_a_user_wrote(
    data: Any, label: str, sequence: int
) -> None:
    template = a_template(data=data, spec={"template": {"annotations": {WORK_GENERATION: ""}}})
    template["metadata"]["annotations"]["n"] = f'"{WORK_GENERATION}":""{label}'
    stamped = stamp(render(template), "u")
    filled = decode(fill_generation(encode(stamped), sequence))
    assert work_generation_of(filled) == sequence
    filled["metadata"]["annotations"][WORK_GENERATION] = ""
    assert filled == decode(encode(stamped))


def test_an_object_without_our_label_is_ours_by_the_fields_we_applied() -> None:
    entry = {"manager": "hanse", "operation": "Apply", "fieldsV1": {}}
    assert is_managed({"metadata": {"managedFields": [entry]}})
    assert not is_managed({"metadata": {"managedFields": [{**entry, "operation": "Update"}]}})
    assert not is_managed({"metadata": {"managedFields": [{**entry, "subresource": "status"}]}})
    assert not is_managed({})


def test_the_one_replica_taken_for_given_is_said() -> None:
    web = a_template("Deployment", "apps/v1", spec={"paused": True})
    assert render(web)["spec"] == {"paused": True, "replicas": 1}
    assert render({**web, "spec": {"replicas": 0}})["spec"] == {"replicas": 0}
    assert render(web, 3)["spec"] == {"paused": True, "replicas": 3}
    job = a_template("Job", "batch/v1", spec={"backoffLimit": 1})
    assert render(job)["spec"] == {"backoffLimit": 1}


def test_the_rules_of_an_aggregated_role_are_each_members_own() -> None:
    kind = ("ClusterRole", "rbac.authorization.k8s.io/v1")
    rules = [{"verbs": ["get"]}]
    assert render(a_template(*kind, rules=rules))["rules"] == rules
    rule = {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]}
    assert "rules" not in render(a_template(*kind, rules=rules, aggregationRule=rule))
