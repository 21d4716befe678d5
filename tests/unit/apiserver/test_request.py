import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apiserver.requests.negotiation import JSON, YAML, Form, accepted
from shared.apiserver.requests.target import (
    DeleteOptions,
    Target,
    parse_target,
    read_bool,
    read_delete_options,
)
from shared.apiserver.requests.write_options import default_manager, read_write_options
from shared.apiserver.status_errors import ApiFault


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1/pods", Target("", "v1", "", "pods")),
        ("/api/v1/namespaces", Target("", "v1", "", "namespaces")),
        ("/api/v1/namespaces/a", Target("", "v1", "", "namespaces", "a")),
        ("/api/v1/namespaces/a/status", Target("", "v1", "", "namespaces", "a", "status")),
        ("/api/v1/namespaces/a/finalize", Target("", "v1", "", "namespaces", "a", "finalize")),
        ("/api/v1/namespaces/a/pods", Target("", "v1", "a", "pods")),
        ("/api/v1/namespaces/a/pods/b/log", Target("", "v1", "a", "pods", "b", "log")),
        (
            "/apis/apps/v1/namespaces/a/deployments/b",
            Target("apps", "v1", "a", "deployments", "b"),
        ),
        (
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
            Target("rbac.authorization.k8s.io", "v1", "", "clusterroles", "system:node"),
        ),
        ("/api/v1/watch/pods", Target("", "v1", "", "pods", watch_path=True)),
    ],
)
def test_paths_are_read_as_kube_apiserver_reads_them(path, target):
    assert parse_target(path) == target


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1", "/apis/apps/v1", "/version", "/api/v1/namespaces/a/b/c/d/e"]
)
def test_other_paths_are_no_resource(path):
    assert parse_target(path) is None


@given(st.text())
def test_no_path_breaks_the_reader(path):
    parse_target(f"/api/v1/{path}")


def test_a_manager_unnamed_is_the_program():
    assert default_manager("kubectl/v1.32 (linux)") == "kubectl"
    assert default_manager("") == "unknown"
    assert read_write_options({"fieldManager": "me"}, "POST").field_manager == "me"
    assert read_write_options({}, "PUT", user_agent="argo/1").field_manager == "argo"


@pytest.mark.parametrize(
    ("text", "value"), [("", True), ("1", True), ("yes", True), ("0", False), ("False", False)]
)
def test_booleans_are_those_of_kube_apiserver(text, value):
    assert read_bool({"watch": text}, "watch") is value


def test_delete_options_come_from_body_or_query():
    assert read_delete_options({}, {"propagationPolicy": "Orphan"}).propagation == "Orphan"
    body = {
        "propagationPolicy": "Foreground",
        "preconditions": {"uid": "u", "resourceVersion": "7"},
        "dryRun": ["All"],
    }
    assert read_delete_options(body, {}) == DeleteOptions(True, "Foreground", "u", "7")
    with pytest.raises(ApiFault):
        read_delete_options({"propagationPolicy": "Sideways"}, {})


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", Form.OBJECT),
        ("*/*", Form.OBJECT),
        ("application/json", Form.OBJECT),
        ("application/vnd.kubernetes.protobuf,application/json", Form.OBJECT),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", Form.TABLE),
        ("application/json;as=Table;g=meta.k8s.io;v=v1beta1", Form.TABLE),
        ("application/json;as=Table;v=v2;g=meta.k8s.io,application/json", Form.OBJECT),
        ("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", Form.METADATA),
    ],
)
def test_the_first_form_that_is_served_is_taken(accept, form):
    assert accepted(accept).form is form


def test_the_preferred_one_of_several_media_types_is_taken():
    assert accepted("application/json;q=0.5, application/yaml").media == YAML
    assert accepted("text/html, application/*;q=0.8, application/yaml;q=0.5").media == JSON
    assert accepted("application/json;pretty=1").pretty


def test_what_is_not_served_is_not_acceptable():
    with pytest.raises(ApiFault) as fault:
        accepted("application/vnd.kubernetes.protobuf")
    assert fault.value.code == 406
