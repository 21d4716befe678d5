"""What objects of built-in kinds refer to."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from shared.apimachinery.manifest import Manifest
from shared.interpreter.registry import BUILT_IN


def references(manifest: Manifest) -> list[tuple[str, str]]:
    found = BUILT_IN.of(manifest).dependencies(manifest)
    assert all(one.namespace == "shop" for one in found)
    return [(one.kind, one.name) for one in found]


def an_object(kind: str, api_version: str = "apps/v1", **sections: Any) -> Manifest:
    metadata = {"name": "web", "namespace": "shop"}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **sections}


POD: dict[str, Any] = {
    "serviceAccountName": "runner",
    "imagePullSecrets": [{"name": "pull"}, {}],
    "initContainers": [{"name": "i", "env": [{"name": "A", "value": "plain"}]}],
    "containers": [
        {
            "name": "c",
            "envFrom": [{"configMapRef": {"name": "cm-env"}}, {"secretRef": {"name": "s-env"}}],
            "env": [
                {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm-key", "key": "a"}}},
                {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s-key", "key": "b"}}},
                {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            ],
        }
    ],
    "volumes": [
        {"name": "a", "configMap": {"name": "cm-volume"}},
        {"name": "b", "secret": {"secretName": "s-volume"}},
        {
            "name": "c",
            "projected": {
                "sources": [
                    {"configMap": {"name": "cm-projected"}},
                    {"secret": {"name": "s-projected"}},
                    {"serviceAccountToken": {"path": "token"}},
                ]
            },
        },
        {"name": "d", "persistentVolumeClaim": {"claimName": "disk"}},
        {"name": "e", "cephfs": {"secretRef": {"name": "s-ceph"}}},
        {"name": "f", "emptyDir": {}},
        {"name": "g", "configMap": {"name": "kube-root-ca.crt"}},
    ],
}
EXPECTED = [
    *(("ConfigMap", f"cm-{name}") for name in ("env", "key", "projected", "volume")),
    ("PersistentVolumeClaim", "disk"),
    ("Secret", "pull"),
    *(("Secret", f"s-{name}") for name in ("ceph", "env", "key", "projected", "volume")),
    ("ServiceAccount", "runner"),
]


def test_a_pod_template_names_what_its_pods_need() -> None:
    spec = {"template": {"spec": POD}}
    for kind in ("Deployment", "DaemonSet", "ReplicaSet"):
        assert references(an_object(kind, spec=spec)) == EXPECTED
    assert references(an_object("Job", "batch/v1", spec=spec)) == EXPECTED
    cron_job = {"jobTemplate": {"spec": spec}}
    assert references(an_object("CronJob", "batch/v1", spec=cron_job)) == EXPECTED
    assert references(an_object("Pod", "v1", spec=POD)) == EXPECTED


def test_a_stateful_set_makes_its_own_claims_and_needs_its_service() -> None:
    claim = {"metadata": {"name": "data"}}
    volumes = [
        {"name": "data", "persistentVolumeClaim": {"claimName": "made-by-the-set"}},
        {"name": "other", "persistentVolumeClaim": {"claimName": "shared"}},
    ]
    spec = {
        "serviceName": "web-headless",
        "volumeClaimTemplates": [claim],
        "template": {"spec": {"volumes": volumes}},
    }
    assert references(an_object("StatefulSet", spec=spec)) == [
        ("PersistentVolumeClaim", "shared"),
        ("Service", "web-headless"),
    ]


def test_an_ingress_needs_its_services_and_certificates() -> None:
    def backend(name: str) -> dict[str, Any]:
        return {"service": {"name": name, "port": {"number": 80}}}

    spec = {
        "defaultBackend": backend("fallback"),
        "rules": [{"http": {"paths": [{"backend": backend("web")}, {"backend": backend("web")}]}}],
        "tls": [{"secretName": "cert"}, {"hosts": ["a.example"]}],
    }
    assert references(an_object("Ingress", "networking.k8s.io/v1", spec=spec)) == [
        ("Secret", "cert"),
        ("Service", "fallback"),
        ("Service", "web"),
    ]


def test_a_service_account_needs_what_it_pulls_with() -> None:
    account = an_object("ServiceAccount", "v1", imagePullSecrets=[{"name": "pull"}])
    assert references(account) == [("Secret", "pull")]
    assert references(an_object("ConfigMap", "v1", data={"a": "b"})) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["volumes", "containers", "env", "secret", "secretName", "name", "spec"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@given(JSON)
@example({"volumes": [{"name": []}]})
def test_whatever_a_pod_holds_is_read_or_passed_over(pod: Any) -> None:
    for kind in ("Deployment", "StatefulSet"):
        spec = {"template": {"spec": pod}, "volumeClaimTemplates": [{"metadata": {"name": {}}}]}
        references(an_object(kind, spec=spec))
    references(an_object("Ingress", "networking.k8s.io/v1", spec=pod))
    references(an_object("ServiceAccount", "v1", imagePullSecrets=pod))
