"""Contents that a member would refuse are refused at once, and what it takes is taken.

Each verdict here is that of a kube-apiserver 1.36 on the same object.
"""

from typing import Any

import pytest

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apiserver.semantics import judge

DEPLOYMENT = GroupResource("apps", "deployments")
STATEFUL_SET = GroupResource("apps", "statefulsets")
DAEMON_SET = GroupResource("apps", "daemonsets")
JOB = GroupResource("batch", "jobs")
CRON_JOB = GroupResource("batch", "cronjobs")
SERVICE = GroupResource("", "services")
INGRESS = GroupResource("networking.k8s.io", "ingresses")
CLAIM = GroupResource("", "persistentvolumeclaims")
CONFIG_MAP = GroupResource("", "configmaps")
POD = GroupResource("", "pods")
AUTOSCALER = GroupResource("autoscaling", "horizontalpodautoscalers")
BUDGET = GroupResource("policy", "poddisruptionbudgets")


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "c", "image": "i", **fields}


def template(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pods = {"containers": list(containers or (container(),)), **spec}
    return {"metadata": {"labels": {"a": "x"}}, "spec": pods}


def kept(**spec: Any) -> Manifest:
    return {
        "spec": {"selector": {"matchLabels": {"a": "x"}}, "template": template(), **spec},
    }


def pods(**fields: Any) -> Manifest:
    return kept(template=template(container(**fields)))


def job(**spec: Any) -> Manifest:
    return {"spec": {"template": template(restartPolicy="Never"), **spec}}


def cron(schedule: str) -> Manifest:
    return {"spec": {"schedule": schedule, "jobTemplate": job()}}


def service(*ports: dict[str, Any], **spec: Any) -> Manifest:
    return {"spec": {"ports": list(ports), **spec}}


def autoscaler(**spec: Any) -> Manifest:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}
    return {"spec": {"scaleTargetRef": target, "maxReplicas": 3, **spec}}


def ingress(**path: Any) -> Manifest:
    backend = {"service": {"name": "x", "port": {"number": 80}}}
    found = {"path": "/", "pathType": "Prefix", "backend": backend, **path}
    return {"spec": {"rules": [{"http": {"paths": [found]}}]}}


def claim(**spec: Any) -> Manifest:
    storage = {"requests": {"storage": "1Gi"}}
    return {"spec": {"accessModes": ["ReadWriteOnce"], "resources": storage, **spec}}


ROLLING = {"maxSurge": 0, "maxUnavailable": 0}
IN = {"key": "a", "operator": "In", "values": ["x"]}


@pytest.mark.parametrize(
    ("resource", "manifest"),
    [
        (DEPLOYMENT, kept()),
        (DEPLOYMENT, kept(replicas=0)),
        (DEPLOYMENT, kept(selector={"matchExpressions": [IN]})),
        (DEPLOYMENT, kept(strategy={"type": "Recreate"})),
        (DEPLOYMENT, kept(strategy={"rollingUpdate": {"maxSurge": "150%"}})),
        (DEPLOYMENT, kept(strategy={"rollingUpdate": {"maxSurge": 0}})),
        (DEPLOYMENT, pods(ports=[{"containerPort": 80, "name": "a" * 15, "hostPort": 0}])),
        (DEPLOYMENT, pods(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1000m"}})),
        (DEPLOYMENT, pods(image=" i")),
        (
            DEPLOYMENT,
            kept(
                template=template(
                    container(ports=[{"containerPort": 80, "name": "web"}]),
                    container(name="d", ports=[{"containerPort": 81, "name": "web"}]),
                )
            ),
        ),
        (DEPLOYMENT, kept(template=template(initContainers=[container(name="s")]))),
        (STATEFUL_SET, kept(updateStrategy={"type": "OnDelete"})),
        (
            STATEFUL_SET,
            kept(
                volumeClaimTemplates=[{"metadata": {"name": "d"}, **claim()}],
                template=template(container(volumeMounts=[{"name": "d", "mountPath": "/d"}])),
            ),
        ),
        (
            DAEMON_SET,
            kept(updateStrategy={"type": "OnDelete", "rollingUpdate": {"maxUnavailable": 1}}),
        ),
        (JOB, job(completionMode="Indexed")),
        (JOB, job(activeDeadlineSeconds=0, parallelism=0)),
        *((CRON_JOB, cron(text)) for text in ("*/5 0-23/2 * jan-mar mon,wed", "@every 1h30m")),
        *((CRON_JOB, cron(text)) for text in ("@daily", "5/10 ? * * *", "0 0 31 2 SUN-SAT")),
        (SERVICE, service({"port": 80})),
        (SERVICE, service(clusterIP="None")),
        (SERVICE, service(type="ExternalName", externalName="a.example")),
        (SERVICE, service({"port": 80, "targetPort": 0})),
        (SERVICE, service({"port": 80, "targetPort": "http"})),
        (
            SERVICE,
            service({"port": 53, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP"}),
        ),
        (INGRESS, ingress()),
        (INGRESS, {"spec": {"defaultBackend": {"service": {"name": "x", "port": {"name": "p"}}}}}),
        (CLAIM, claim()),
        (CONFIG_MAP, {"data": {"A_b-c.d": "1", ".a": "2", "x" * 253: "3"}}),
        (POD, {"spec": {"containers": [container()], "restartPolicy": "OnFailure"}}),
        (AUTOSCALER, autoscaler(minReplicas=3)),
        (BUDGET, {"spec": {"minAvailable": "50%"}}),
        (GroupResource("", "namespaces"), {}),
    ],
)
def test_what_a_kube_apiserver_takes_is_taken(resource: GroupResource, manifest: Manifest) -> None:
    assert judge(resource, None, manifest) == []


TEMPLATE = "spec.template.spec"
FIRST = f"{TEMPLATE}.containers[0]"


@pytest.mark.parametrize(
    ("resource", "manifest", "path"),
    [
        (DEPLOYMENT, {}, "spec.selector"),
        (DEPLOYMENT, kept(replicas=-1), "spec.replicas"),
        (DEPLOYMENT, kept(selector={}), "spec.selector"),
        (DEPLOYMENT, kept(selector={"matchExpressions": [{**IN, "operator": "Near"}]}),
         "spec.selector"),
        (DEPLOYMENT, kept(selector={"matchLabels": {"a": "y"}}), "spec.template.metadata.labels"),
        (DEPLOYMENT, kept(template={"metadata": {"labels": {"a": "x"}}}), f"{TEMPLATE}.containers"),
        (DEPLOYMENT, kept(strategy={"type": "Yolo"}), "spec.strategy"),
        (DEPLOYMENT, kept(strategy={"type": "Recreate", "rollingUpdate": {}}),
         "spec.strategy.rollingUpdate"),
        (DEPLOYMENT, kept(strategy={"rollingUpdate": {"maxSurge": "x"}}),
         "spec.strategy.rollingUpdate.maxSurge"),
        (DEPLOYMENT, kept(strategy={"rollingUpdate": ROLLING}),
         "spec.strategy.rollingUpdate.maxUnavailable"),
        (DEPLOYMENT, kept(template=template(restartPolicy="Never")), f"{TEMPLATE}.restartPolicy"),
        (DEPLOYMENT, kept(template=template(container(), container())),
         f"{TEMPLATE}.containers[1].name"),
        (DEPLOYMENT, pods(name="C_1"), f"{FIRST}.name"),
        (DEPLOYMENT, pods(image=""), f"{FIRST}.image"),
        (DEPLOYMENT, pods(imagePullPolicy="x"), f"{FIRST}.imagePullPolicy"),
        (DEPLOYMENT, pods(ports=[{"containerPort": 0}]), f"{FIRST}.ports[0].containerPort"),
        (DEPLOYMENT, pods(ports=[{"containerPort": 1, "name": "123"}]), f"{FIRST}.ports[0].name"),
        (DEPLOYMENT, pods(ports=[{"containerPort": 1, "protocol": "tcp"}]),
         f"{FIRST}.ports[0].protocol"),
        (DEPLOYMENT, pods(volumeMounts=[{"name": "d", "mountPath": "/d"}]),
         f"{FIRST}.volumeMounts[0].name"),
        (DEPLOYMENT, pods(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
         f"{FIRST}.resources.requests"),
        (DEPLOYMENT, pods(livenessProbe={}), f"{FIRST}.livenessProbe"),
        (STATEFUL_SET, kept(podManagementPolicy="Wild"), "spec.podManagementPolicy"),
        (STATEFUL_SET, kept(updateStrategy={"rollingUpdate": {"partition": -1}}),
         "spec.updateStrategy.rollingUpdate.partition"),
        (DAEMON_SET, kept(updateStrategy={"rollingUpdate": ROLLING}),
         "spec.updateStrategy.rollingUpdate.maxUnavailable"),
        (JOB, {"spec": {"template": template()}}, f"{TEMPLATE}.restartPolicy"),
        (JOB, job(backoffLimit=-1), "spec.backoffLimit"),
        *((CRON_JOB, cron(text), "spec.schedule") for text in ("", "nope", "60 * * * *")),
        *((CRON_JOB, cron(text), "spec.schedule") for text in ("0 22-2 * * *", "*/0 * * * *")),
        *((CRON_JOB, cron(text), "spec.schedule") for text in ("@reboot", "@every x", "0 0 * * 7")),
        (SERVICE, service(), "spec.ports"),
        (SERVICE, service({"port": 99_999}), "spec.ports[0].port"),
        (SERVICE, service({"port": 80, "targetPort": "HTTP"}), "spec.ports[0].targetPort"),
        (SERVICE, service({"port": 80}, {"port": 81, "name": "b"}), "spec.ports[0].name"),
        (SERVICE, service({"port": 80}, type="foo"), "spec.type"),
        (SERVICE, service(type="ExternalName"), "spec.externalName"),
        (INGRESS, {"spec": {}}, "spec"),
        (INGRESS, ingress(path="nope"), "spec.rules[0].http.paths[0].path"),
        (INGRESS, ingress(pathType="x"), "spec.rules[0].http.paths[0].pathType"),
        (CLAIM, claim(accessModes=[]), "spec.accessModes"),
        (CLAIM, claim(accessModes=["x"]), "spec.accessModes"),
        (CLAIM, claim(resources={}), "spec.resources[storage]"),
        (CONFIG_MAP, {"data": {"a/b": "1"}}, "data[a/b]"),
        (CONFIG_MAP, {"data": {"..": "1"}}, "data[..]"),
        (CONFIG_MAP, {"data": {"a": "1"}, "binaryData": {"a": "MQ=="}}, "data[a]"),
        (AUTOSCALER, autoscaler(maxReplicas=0), "spec.maxReplicas"),
        (AUTOSCALER, autoscaler(minReplicas=5), "spec.maxReplicas"),
        (AUTOSCALER, autoscaler(scaleTargetRef={"kind": "Deployment"}),
         "spec.scaleTargetRef.name"),
        (BUDGET, {"spec": {"minAvailable": 1, "maxUnavailable": 1}}, "spec"),
        (BUDGET, {"spec": {"minAvailable": "x"}}, "spec.minAvailable"),
    ],
)  # fmt: skip
def test_what_it_refuses_is_refused_where_it_is_wrong(
    resource: GroupResource, manifest: Manifest, path: str
) -> None:
    faults = judge(resource, None, manifest)
    assert path in [fault.path for fault in faults]


def test_contents_that_do_not_change_are_not_judged_again() -> None:
    wrong = kept(replicas=-1)
    assert judge(DEPLOYMENT, wrong, {**wrong, "metadata": {"labels": {"a": "b"}}}) == []
    assert judge(DEPLOYMENT, kept(), wrong)
