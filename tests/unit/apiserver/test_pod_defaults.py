from typing import Any

from shared.apimachinery.manifest import GroupResource, Manifest, copy
from shared.apiserver.pod_defaults import fill_pod_spec
from tests.served_api import deployment

DEPLOYMENTS = GroupResource("apps", "deployments")


def with_pod_spec(**parts: Any) -> Manifest:
    manifest = deployment("web")
    manifest["spec"]["template"]["spec"] |= parts
    return manifest


def test_a_grpc_probe_names_its_service():
    probe = {"grpc": {"port": 80}, "periodSeconds": 3}
    manifest = with_pod_spec(containers=[{"name": "a"}, {"name": "b", "livenessProbe": probe}])
    before = copy(manifest)
    filled = fill_pod_spec(DEPLOYMENTS, manifest)

    containers = filled["spec"]["template"]["spec"]["containers"]
    assert containers[1]["livenessProbe"] == {
        "grpc": {"port": 80, "service": ""},
        "periodSeconds": 3,
    }
    assert containers[0] == {"name": "a"}
    assert manifest == before
    assert fill_pod_spec(DEPLOYMENTS, filled) is filled


def test_a_projected_token_says_how_long_it_lasts():
    sources = [{"configMap": {"name": "x"}}, {"serviceAccountToken": {"path": "t"}}]
    volumes = [{"name": "v", "projected": {"sources": sources}}]
    filled = fill_pod_spec(DEPLOYMENTS, with_pod_spec(volumes=volumes))
    found = filled["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"]
    assert found[1] == {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}}


def test_whatever_lacks_nothing_or_is_no_pod_stays_itself():
    for manifest in (deployment("web"), {"spec": 7}, {"spec": {"template": None}}, {}):
        assert fill_pod_spec(DEPLOYMENTS, manifest) is manifest
    plain = with_pod_spec(containers="text", volumes=[7, None])
    assert fill_pod_spec(DEPLOYMENTS, plain) is plain
    assert fill_pod_spec(GroupResource("", "secrets"), plain) is plain
