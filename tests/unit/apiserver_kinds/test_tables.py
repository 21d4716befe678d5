from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apimachinery.manifest import GroupResource, GroupVersionKind, Manifest
from shared.apiserver.answers.tables import render_table
from shared.apiserver.builtin import builtin_kinds
from shared.apiserver.hanse_kinds import hanse_kinds
from shared.apiserver.kinds import Column, ResourceKind
from shared.apiserver.registry import Registry

NOW = datetime(2031, 5, 1, 12, 0, tzinfo=UTC)
FIVE_MINUTES_AGO = "2031-05-01T11:55:00Z"
REGISTRY = Registry(builtin_kinds(), hanse_kinds())


def kind_of(resource: str) -> ResourceKind:
    name, _, group = resource.partition(".")
    kind = REGISTRY.preferred(GroupResource(group, name))
    assert kind is not None, resource
    return kind


def an_object(**parts: Any) -> Manifest:
    return {"metadata": {"name": "x", "creationTimestamp": FIVE_MINUTES_AGO}, **parts}


def printed(resource: str, manifest: Manifest) -> dict[str, Any]:
    table = render_table(kind_of(resource), [manifest], now=NOW)
    names = [column["name"] for column in table["columnDefinitions"]]
    return dict(zip(names, table["rows"][0]["cells"], strict=True))


TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "i:1"}, {"name": "b", "image": "j"}]}}


@pytest.mark.parametrize(
    ("resource", "manifest", "expected"),
    [
        (
            "deployments.apps",
            an_object(
                spec={"replicas": 3, "template": TEMPLATE, "selector": {"matchLabels": {"k": "v"}}},
                status={"readyReplicas": 1, "updatedReplicas": 2},
            ),
            {
                "Name": "x",
                "Ready": "1/3",
                "Up-to-date": 2,
                "Available": 0,
                "Age": "5m",
                "Containers": "a,b",
                "Images": "i:1,j",
                "Selector": "k=v",
            },
        ),
        ("statefulsets.apps", an_object(spec={}), {"Ready": "0/1"}),
        (
            "jobs.batch",
            an_object(
                spec={"completions": 3},
                status={
                    "succeeded": 3,
                    "startTime": FIVE_MINUTES_AGO,
                    "completionTime": "2031-05-01T11:57:00Z",
                    "conditions": [{"type": "Complete", "status": "True"}],
                },
            ),
            {"Status": "Complete", "Completions": "3/3", "Duration": "2m"},
        ),
        (
            "services",
            an_object(
                spec={
                    "type": "LoadBalancer",
                    "clusterIP": "10.0.0.1",
                    "ports": [{"port": 80, "nodePort": 30080}, {"port": 53, "protocol": "UDP"}],
                }
            ),
            {
                "Cluster-IP": "10.0.0.1",
                "External-IP": "<pending>",
                "Port(s)": "80:30080/TCP,53/UDP",
                "Selector": "<none>",
            },
        ),
        (
            "ingresses.networking.k8s.io",
            an_object(spec={"rules": [{"host": h} for h in "abcde"], "tls": [{}]}),
            {"Class": "<none>", "Hosts": "a,b,c + 2 more...", "Ports": "80, 443"},
        ),
        (
            "nodes",
            an_object(
                spec={"unschedulable": True},
                status={"conditions": [{"type": "Ready", "status": "Unknown"}]},
            ),
            {"Status": "NotReady,SchedulingDisabled", "Roles": "<none>"},
        ),
        (
            "horizontalpodautoscalers.autoscaling",
            an_object(
                spec={
                    "scaleTargetRef": {"kind": "Deployment", "name": "web"},
                    "maxReplicas": 5,
                    "metrics": [
                        {
                            "type": "Resource",
                            "resource": {"name": "cpu", "target": {"averageUtilization": 50}},
                        }
                    ],
                }
            ),
            {"Reference": "Deployment/web", "Targets": "cpu: <unknown>/50%", "MinPods": "<unset>"},
        ),
        (
            "events",
            an_object(
                involvedObject={"kind": "Pod", "name": "p"},
                message=" hello\n",
                lastTimestamp=FIVE_MINUTES_AGO,
                source={"component": "kubelet", "host": "n1"},
            ),
            {
                "Last Seen": "5m",
                "Object": "pod/p",
                "Message": "hello",
                "Source": "kubelet, n1",
                "Count": 1,
            },
        ),
        ("roles.rbac.authorization.k8s.io", an_object(), {"Created At": FIVE_MINUTES_AGO}),
        (
            "persistentvolumeclaims",
            an_object(
                spec={"volumeName": "v", "storageClassName": "fast"},
                status={
                    "phase": "Bound",
                    "capacity": {"storage": "1Gi"},
                    "accessModes": ["ReadWriteMany", "ReadWriteOnce"],
                },
            ),
            {"Status": "Bound", "Capacity": "1Gi", "Access Modes": "RWO,RWX"},
        ),
        (
            "resourcequotas",
            an_object(status={"hard": {"limits.cpu": "4", "pods": "9"}, "used": {"pods": "2"}}),
            {"Request": "pods: 2/9", "Limit": "limits.cpu: 0/4"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_built_in_kind_is_printed(resource: str, manifest: Manifest, expected: dict[str, Any]):
    found = printed(resource, manifest)

    assert {name: found[name] for name in expected} == expected


def a_pod(*containers: dict[str, Any], **status: Any) -> Manifest:
    named = [{"name": one["name"]} for one in containers]
    return an_object(
        spec={"containers": named},
        status={"phase": "Running", "containerStatuses": list(containers), **status},
    )


READY = {"name": "a", "ready": True, "state": {"running": {}}}
CRASHING = {
    "name": "b",
    "restartCount": 4,
    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
    "lastState": {"terminated": {"finishedAt": FIVE_MINUTES_AGO}},
}
KILLED = {"name": "c", "state": {"terminated": {"exitCode": 137, "signal": 9}}}


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (a_pod(READY), ("1/1", "Running", "0")),
        (a_pod(READY, CRASHING), ("1/2", "CrashLoopBackOff", "4 (5m ago)")),
        (a_pod(KILLED), ("0/1", "Signal:9", "0")),
        (a_pod(READY, reason="Evicted", phase="Failed"), ("1/1", "Evicted", "0")),
        (
            a_pod(
                {"name": "a", "state": {"waiting": {"reason": "PodInitializing"}}},
                initContainerStatuses=[{"name": "i", "state": {"terminated": {"exitCode": 3}}}],
            ),
            ("0/1", "Init:ExitCode:3", "0"),
        ),
    ],
)
def test_one_word_says_most_about_a_pod(pod: Manifest, expected: tuple[str, str, str]):
    found = printed("pods", pod)

    assert (found["Ready"], found["Status"], found["Restarts"]) == expected


def test_a_pod_that_is_deleted_is_terminating():
    pod = a_pod(READY)
    pod["metadata"]["deletionTimestamp"] = FIVE_MINUTES_AGO

    assert printed("pods", pod)["Status"] == "Terminating"


def test_a_binding_shows_its_decision():
    binding = an_object(
        spec={
            "resource": {"kind": "Deployment", "name": "web"},
            "policy": {"kind": "PropagationPolicy", "name": "p"},
            "replicas": 5,
            "clusters": [{"name": "eu-1", "replicas": 3}, {"name": "us-1", "replicas": 2}],
        },
        status={"conditions": [{"type": "Scheduled", "status": "True"}]},
    )

    found = printed("resourcebindings.hanse.dev", binding)

    assert found["Clusters"] == "eu-1:3,us-1:2"
    assert (found["Scheduled"], found["Healthy"]) == ("True", "Unknown")
    assert found["Replicas"] == 5


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({}, ""),
        ({"Scheduled": ("False", "no room"), "FullyApplied": ("False", "later")}, "no room"),
        (
            {"Scheduled": ("True", "placed"), "FullyApplied": ("False", "eu-1: Invalid")},
            "eu-1: Invalid",
        ),
        ({"FullyApplied": ("True", ""), "Healthy": ("False", "eu-1: Degraded")}, "eu-1: Degraded"),
        ({"Removing": ("True", "eu-1: held")}, "eu-1: held"),
        ({"Removing": ("False", ""), "Drifted": ("False", "")}, ""),
        ({"Drifted": ("True", "eu-1: .spec")}, "eu-1: .spec"),
    ],
)
def test_a_binding_shows_the_first_thing_that_is_wrong(
    conditions: dict[str, tuple[str, str]], message: str
):
    listed = [
        {"type": type_, "status": status, "message": text}
        for type_, (status, text) in conditions.items()
    ]
    found = printed("resourcebindings.hanse.dev", an_object(status={"conditions": listed}))
    assert (found["Message"], found["Policy"]) == (message, "<none>")


def test_a_cluster_shows_its_free_room():
    cluster = an_object(
        spec={"region": "eu"},
        status={
            "conditions": [{"type": "Ready", "status": "True"}],
            "capacity": {
                "nodesTotal": 3,
                "nodesReady": 2,
                "allocatable": {"cpu": "8", "memory": "16Gi"},
                "allocated": {"cpu": "1500m", "memory": "1Gi"},
            },
        },
    )

    found = printed("clusters.hanse.dev", cluster)

    assert (found["Mode"], found["Ready"], found["Nodes"]) == ("Push", "True", "2/3")
    assert (found["Free-CPU"], found["Free-Memory"]) == ("6500m", "15Gi")


@pytest.mark.parametrize(
    ("resource", "amiss"),
    [
        ("trafficpolicies", "ClustersKnown"),
        ("globalzones", "Accepted"),
        ("globalzones", "Transferable"),
    ],
)
def test_whatever_is_amiss_with_traffic_is_in_the_message(resource: str, amiss: str) -> None:
    conditions = [
        {"type": "Routed", "status": "True", "message": "well"},
        {"type": amiss, "status": "False", "message": "why"},
    ]
    found = printed(f"{resource}.hanse.dev", an_object(spec={}, status={"conditions": conditions}))
    assert found["Message"] == "why"


def test_a_cluster_that_is_being_drained_says_so_beside_being_ready():
    conditions = [{"type": "Ready", "status": "True"}]
    taint = {"key": "cluster.hanse.dev/draining", "effect": "NoSchedule"}

    drained = an_object(spec={"taints": [taint]}, status={"conditions": conditions})
    tainted = an_object(
        spec={"taints": [{**taint, "key": "team"}]}, status={"conditions": conditions}
    )

    assert printed("clusters.hanse.dev", drained)["Ready"] == "True,Draining"
    assert printed("clusters.hanse.dev", tainted)["Ready"] == "True"


def a_custom_kind(*columns: Column) -> ResourceKind:
    return ResourceKind(
        gvk=GroupVersionKind("sea.example.org", "v1", "Boat"),
        resource="boats",
        singular="boat",
        namespaced=True,
        columns=columns,
        custom=True,
    )


def test_a_custom_kind_without_columns_shows_name_and_age():
    table = render_table(a_custom_kind(), [an_object()], now=NOW)

    assert table["rows"][0]["cells"] == ["x", "5m"]


@pytest.mark.parametrize(
    ("type_", "value", "cell"),
    [
        ("string", ["a", 1], '["a",1]'),
        ("string", True, "true"),
        ("integer", 3, 3),
        ("integer", "3", None),
        ("boolean", True, True),
        ("number", 2, 2.0),
        ("date", FIVE_MINUTES_AGO, "5m"),
        ("date", "yesterday", "<invalid>"),
        ("string", None, None),
    ],
)
def test_a_path_is_printed_by_its_type(type_: str, value: object, cell: object):
    kind = a_custom_kind(Column(name="V", type=type_, json_path=".spec.v"))

    table = render_table(kind, [an_object(spec={"v": value})], now=NOW)

    assert table["rows"][0]["cells"] == ["x", cell]


def test_rows_carry_as_much_of_the_object_as_asked():
    manifest = an_object(spec={"a": 1})

    def carried(include: Any) -> Any:
        table = render_table(a_custom_kind(), [manifest], now=NOW, include=include)
        return table["rows"][0].get("object")

    assert carried("None") is None
    assert carried("Metadata")["kind"] == "PartialObjectMetadata"
    assert "spec" not in carried("Metadata")
    assert carried("Object") == manifest


GARBAGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["containers", "conditions", "capacity", "replicas", "rules", "ports", "metrics"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)


@given(GARBAGE, GARBAGE)
def test_no_object_breaks_the_table_it_is_in(spec: object, status: object):
    for kind in REGISTRY.all():
        manifest = an_object(spec=spec, status=status)
        table = render_table(kind, [manifest], now=NOW)
        assert len(table["rows"][0]["cells"]) == len(table["columnDefinitions"])
