"""The kubectl that people have, in the sessions they have with it, against a gateway.

It comes from KUBEBUILDER_ASSETS, as the real API server does; envtest's assets contain it.
"""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.runtime.kubeconfig import write_kubeconfig
from tests.conformance.targets import run_gateway
from tests.kube_apiserver import find_assets

pytestmark = pytest.mark.kube_apiserver

SECONDS_MAX = 60
WEB: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "labels": {"app": "web"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "main", "image": "example/main:1"}]},
        },
    },
}
BOATS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "boats.sea.example.org"},
    "spec": {
        "group": "sea.example.org",
        "scope": "Namespaced",
        "names": {"plural": "boats", "singular": "boat", "kind": "Boat", "shortNames": ["bo"]},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "scale": {
                        "specReplicasPath": ".spec.crew",
                        "statusReplicasPath": ".status.crew",
                    }
                },
                "additionalPrinterColumns": [
                    {"name": "Crew", "type": "integer", "jsonPath": ".spec.crew"}
                ],
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "crew": {"type": "integer", "description": "Who sail it."}
                                },
                            },
                            "status": {
                                "type": "object",
                                "properties": {"crew": {"type": "integer"}},
                            },
                        },
                    }
                },
            }
        ],
    },
}


@dataclass(frozen=True)
class Kubectl:
    """Runs kubectl in one namespace and folder of its own."""

    program: str
    kubeconfig: Path
    namespace: str
    folder: Path

    def run(self, *arguments: str, given: str = "", **environment: str) -> tuple[int, str, str]:
        """Return the exit code, what it printed and what it complained about."""
        done = subprocess.run(
            [self.program, "--namespace", self.namespace, *arguments],
            input=given,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
            cwd=self.folder,
            env={
                "KUBECONFIG": str(self.kubeconfig),
                "HOME": str(self.folder),
                "PATH": os.environ["PATH"],
                **environment,
            },
        )
        return done.returncode, done.stdout, done.stderr

    def __call__(self, *arguments: str, given: str = "", **environment: str) -> str:
        code, printed, complaint = self.run(*arguments, given=given, **environment)
        assert code == 0, f"kubectl {' '.join(arguments)}: {complaint}"
        return printed

    def refused(self, *arguments: str, given: str = "") -> str:
        """Return the complaint of a command that has to fail."""
        code, printed, complaint = self.run(*arguments, given=given)
        assert code != 0, printed
        return complaint

    def read(self, *arguments: str) -> Any:
        return json.loads(self("get", *arguments, "-o", "json"))

    def write(self, *objects: dict[str, Any], name: str = "objects.yaml") -> str:
        (self.folder / name).write_text(yaml.safe_dump_all(objects))
        return name


@pytest.fixture(scope="module")
def kubeconfig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    find_assets()
    folder = tmp_path_factory.mktemp("gateway")
    with run_gateway(folder) as gateway:
        path = folder / "kubeconfig"
        authority = (folder / "tls" / "ca.crt").read_bytes()
        write_kubeconfig(
            path,
            name="hanse",
            server=gateway.url,
            certificate_authority=authority,
            token=gateway.token,
        )
        yield path


@pytest.fixture
def kubectl(kubeconfig: Path, tmp_path: Path) -> Iterator[Kubectl]:
    program = shutil.which("kubectl", path=find_assets())
    if program is None:
        pytest.skip("KUBEBUILDER_ASSETS has no kubectl")
    namespace = f"k-{secrets.token_hex(5)}"
    found = Kubectl(program, kubeconfig, namespace, tmp_path)
    found("create", "namespace", namespace)
    yield found
    found("delete", "namespace", namespace, "--wait=false")


GENERATED = {
    "deployment": ("web", "--image=example/main:1", "--replicas=3"),
    "configmap": ("conf", "--from-literal=a=b"),
    "job": ("once", "--image=example/main:1", "--", "true"),
    "cronjob": ("often", "--image=example/main:1", "--schedule=*/5 * * * *"),
    "ingress": ("door", "--rule=a.example.org/=web:80"),
    "role": ("reader", "--verb=get,list", "--resource=pods"),
    "rolebinding": ("readers", "--role=reader", "--user=anna"),
    "quota": ("bounds", "--hard=pods=5,cpu=2"),
    "poddisruptionbudget": ("guard", "--selector=app=web", "--min-available=1"),
    "serviceaccount": ("robot",),
}


@pytest.mark.parametrize("kind", GENERATED)
def test_what_kubectl_makes_is_created_and_printed(kubectl: Kubectl, kind: str) -> None:
    name, *options = GENERATED[kind]

    assert kubectl("create", kind, name, *options).endswith(f"{name} created\n")

    listed = kubectl("get", kind).splitlines()
    assert listed[0].startswith("NAME")
    assert listed[1].startswith(name)
    assert kubectl("describe", kind, name).startswith("Name:")


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("clusterip", ("--tcp=80",)),
        ("nodeport", ("--tcp=80",)),
        ("loadbalancer", ("--tcp=80",)),
        ("externalname", ("--external-name=example.org",)),
    ],
)
def test_services_of_every_type_are_created(
    kubectl: Kubectl, kind: str, options: tuple[str, ...]
) -> None:
    kubectl("create", "service", kind, "web", *options)

    assert kubectl.read("service", "web")["spec"]["type"].lower() == kind


def test_apply_keeps_what_others_wrote_and_removes_what_it_no_longer_says(
    kubectl: Kubectl,
) -> None:
    conf = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "conf"}}
    first = kubectl.write({**conf, "data": {"a": "1", "b": "2"}})
    assert kubectl("apply", "-f", first) == "configmap/conf created\n"
    kubectl("patch", "configmap", "conf", "--type=merge", "-p", '{"data":{"theirs":"3"}}')

    second = kubectl.write({**conf, "data": {"a": "9"}})
    code, printed, _ = kubectl.run("diff", "-f", second)
    assert code == 1
    assert '+  a: "9"' in printed
    assert kubectl("apply", "-f", second) == "configmap/conf configured\n"

    assert kubectl.read("configmap", "conf")["data"] == {"a": "9", "theirs": "3"}
    assert kubectl("apply", "-f", second) == "configmap/conf unchanged\n"
    assert kubectl.run("diff", "-f", second)[0] == 0


def test_server_side_apply_names_whose_field_it_is(kubectl: Kubectl) -> None:
    kubectl("apply", "--server-side", "-f", kubectl.write(WEB))
    changed = kubectl.write({**WEB, "spec": {**WEB["spec"], "replicas": 5}})
    apply = ("apply", "--server-side", "--field-manager=other", "-f", changed)

    complaint = kubectl.refused(*apply)
    assert 'conflict with "kubectl": .spec.replicas' in complaint

    kubectl(*apply, "--force-conflicts")
    assert kubectl.read("deployment", "web")["spec"]["replicas"] == 5


def test_what_is_no_longer_in_the_folder_is_pruned(kubectl: Kubectl) -> None:
    label = {"labels": {"set": "one"}}
    maps = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **label}}
        for name in ("stays", "goes")
    ]
    prune = ("--prune", "-l", "set=one", "--prune-allowlist=core/v1/ConfigMap")
    kubectl("apply", "-f", kubectl.write(*maps))

    printed = kubectl("apply", *prune, "-f", kubectl.write(maps[0]))

    assert "configmap/goes pruned" in printed
    assert kubectl("get", "configmap", "-l", "set=one", "-o", "name") == "configmap/stays\n"


def test_an_editor_changes_an_object(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(WEB))

    kubectl("edit", "deployment", "web", KUBE_EDITOR="sed -i s/main:1/main:2/")

    template = kubectl.read("deployment", "web")["spec"]["template"]["spec"]
    assert template["containers"][0]["image"] == "example/main:2"


def test_each_kind_of_patch_does_its_own(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(WEB))
    patch = ("patch", "deployment", "web")

    side = '{"spec":{"template":{"spec":{"containers":[{"name":"side","image":"i"}]}}}}'
    kubectl(*patch, "-p", side)
    kubectl(*patch, "--type=merge", "-p", '{"metadata":{"labels":{"x":"y"}}}')
    kubectl(*patch, "--type=json", "-p", '[{"op":"remove","path":"/metadata/labels/x"}]')
    kubectl(*patch, "--subresource=status", "--type=merge", "-p", '{"status":{"replicas":1}}')

    found = kubectl.read("deployment", "web")
    names = [one["name"] for one in found["spec"]["template"]["spec"]["containers"]]
    assert sorted(names) == ["main", "side"]
    assert found["metadata"]["labels"] == {"app": "web"}
    assert found["status"]["replicas"] == 1


def test_a_patch_that_cannot_be_carried_out_says_why(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(WEB))
    patch = ("patch", "deployment", "web")

    nameless = '{"spec":{"template":{"spec":{"containers":[{"image":"i"}]}}}}'
    complaint = kubectl.refused(*patch, "-p", nameless)
    assert 'The Deployment "web" is invalid: patch: map: map[image:i] does not' in complaint
    complaint = kubectl.refused(*patch, "--type=json", "-p", '[{"op":"remove","path":"/nope"}]')
    assert 'The Deployment "web" is invalid: [0]: ' in complaint


def test_a_workload_is_scaled_set_and_restarted(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(WEB))

    kubectl("scale", "deployment", "web", "--replicas=7")
    kubectl("set", "image", "deployment/web", "main=example/main:9")
    kubectl("set", "env", "deployment/web", "A=1")
    kubectl("set", "resources", "deployment", "web", "--limits=cpu=1", "--requests=cpu=100m")
    kubectl("rollout", "restart", "deployment", "web")
    kubectl("rollout", "pause", "deployment", "web")
    kubectl("autoscale", "deployment", "web", "--min=2", "--max=5", "--cpu-percent=80")

    spec = kubectl.read("deployment", "web")["spec"]
    container = spec["template"]["spec"]["containers"][0]
    assert (spec["replicas"], spec["paused"]) == (7, True)
    assert container["image"] == "example/main:9"
    assert container["env"] == [{"name": "A", "value": "1"}]
    assert container["resources"]["limits"] == {"cpu": "1"}
    assert "kubectl.kubernetes.io/restartedAt" in spec["template"]["metadata"]["annotations"]
    assert "cpu: <unknown>/80%" in kubectl("get", "hpa", "web")


def test_a_rollout_is_waited_for_and_its_history_is_not_here(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(WEB))
    status = (
        '{"status":{"observedGeneration":99,"replicas":2,"updatedReplicas":2,'
        '"readyReplicas":2,"availableReplicas":2,'
        '"conditions":[{"type":"Available","status":"True"}]}}'
    )
    kubectl("patch", "deployment", "web", "--subresource=status", "--type=merge", "-p", status)

    assert "successfully rolled out" in kubectl("rollout", "status", "deployment", "web")
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=10s")
    kubectl("wait", "--for=jsonpath={.spec.replicas}=2", "deployment/web", "--timeout=10s")
    assert "no rollout history found" in kubectl.refused("rollout", "undo", "deployment/web")


def test_deletion_is_waited_for_and_replacing_may_delete(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(WEB))
    before = kubectl.read("deployment", "web")["metadata"]["uid"]

    kubectl("replace", "--force", "-f", "objects.yaml")
    assert kubectl.read("deployment", "web")["metadata"]["uid"] != before
    kubectl("delete", "deployment", "web", "--cascade=foreground", "--wait")
    kubectl("wait", "--for=delete", "deployment/web", "--timeout=10s")

    assert kubectl.refused("get", "deployment", "web").startswith("Error from server (NotFound)")


def test_an_object_is_shown_in_every_form(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(WEB))

    def get(*options: str) -> str:
        return kubectl("get", "deployment", *options)

    assert get("-o", "wide").split("\n")[1].endswith("main         example/main:1   app=web")
    assert get("-o", "name") == "deployment.apps/web\n"
    assert get("-o", "jsonpath={.items[*].spec.replicas}") == "2"
    assert get("-o", "custom-columns=R:.spec.replicas") == "R\n2\n"
    assert get("-o", "go-template={{len .items}}") == "1"
    assert "app=web" in get("--show-labels")
    assert get("-L", "app").split("\n")[0].endswith("APP")
    assert get("--chunk-size=1", "--no-headers").startswith("web")
    assert get("--field-selector", "metadata.name=other") == ""
    assert get("-A", "--sort-by=.metadata.name").startswith("NAMESPACE")
    assert "managedFields" in get("web", "-o", "yaml", "--show-managed-fields")
    *scale, _age = get("web", "--subresource=scale").split()
    assert scale == ["NAME", "DESIRED", "AVAILABLE", "AGE", "web", "2", "0"]
    assert kubectl("get", "--raw", "/readyz") == "ok"


def test_events_are_listed_and_described(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(WEB))
    about = kubectl.read("deployment", "web")
    reference = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "namespace": kubectl.namespace,
        **{part: about["metadata"][part] for part in ("name", "uid")},
    }
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "web.1"},
        "involvedObject": reference,
        "reason": "Moored",
        "message": "in the harbour",
        "type": "Normal",
        "firstTimestamp": about["metadata"]["creationTimestamp"],
        "lastTimestamp": about["metadata"]["creationTimestamp"],
        "source": {"component": "harbour"},
    }
    kubectl("create", "-f", kubectl.write(event))

    assert "in the harbour" in kubectl("describe", "deployment", "web")
    assert "Moored" in kubectl("events", "--for=deployment/web")
    assert "deployment/web" in kubectl("get", "events")


def test_every_kind_is_explained(kubectl: Kubectl) -> None:
    listed = kubectl("api-resources", "--verbs=list", "--no-headers").splitlines()
    # NAME, perhaps SHORTNAMES, APIVERSION, NAMESPACED, KIND.
    kinds = [(line.split()[0], line.split()[-3]) for line in listed]
    assert len(kinds) > 60

    for name, version in kinds:
        assert "FIELDS:" in kubectl("explain", name, f"--api-version={version}")
    assert "declarative updates" in kubectl("explain", "deployment")
    assert "enum: Recreate, RollingUpdate" in kubectl("explain", "deployment.spec.strategy")


def test_a_kind_of_ones_own_is_as_good_as_any(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(BOATS))
    kubectl("wait", "--for=condition=Established", "crd/boats.sea.example.org", "--timeout=20s")
    kogge = {
        "apiVersion": "sea.example.org/v1",
        "kind": "Boat",
        "metadata": {"name": "kogge"},
        "spec": {"crew": 12},
    }

    kubectl("apply", "-f", kubectl.write(kogge))
    kubectl("scale", "boat", "kogge", "--replicas=20")

    assert kubectl("get", "bo").split() == ["NAME", "CREW", "kogge", "20"]
    assert "Who sail it." in kubectl("explain", "boat.spec.crew")
    unknown = kubectl.write({**kogge, "spec": {"sails": 3}})
    assert 'unknown field "spec.sails"' in kubectl.refused("apply", "-f", unknown)
    kubectl("delete", "crd", "boats.sea.example.org")
    assert "NotFound" in kubectl.refused("get", "boats")


def test_who_asks_and_what_they_may_is_answered(kubectl: Kubectl) -> None:
    assert "Username" in kubectl("auth", "whoami")
    assert kubectl("auth", "can-i", "create", "deployments").strip() == "yes"
    assert "is running at" in kubectl("cluster-info")
    assert json.loads(kubectl("version", "-o", "json"))["serverVersion"]["major"] == "1"
    assert "hanse.dev/v1alpha1" in kubectl("api-versions")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (("logs", "one"), "ask the cluster that runs them"),
        (("exec", "one", "--", "ls"), "ask the cluster that runs them"),
        (("create", "token", "robot"), "ask the cluster that will check them"),
        (("top", "pod"), "Metrics API not available"),
    ],
)
def test_what_only_a_member_has_is_said_to_be_there(
    kubectl: Kubectl, command: tuple[str, ...], says: str
) -> None:
    kubectl("run", "one", "--image=example/main:1")
    kubectl("create", "serviceaccount", "robot")

    assert says in kubectl.refused(*command)


def test_a_pod_is_debugged_with_a_word_on_where_its_containers_run(kubectl: Kubectl) -> None:
    kubectl("run", "one", "--image=example/main:1")

    code, _, said = kubectl.run(
        "debug", "one", "--image=busybox", "--container=look", "--attach=false"
    )

    assert (code, "debug the Pod in the cluster that runs it" in said) == (0, True), said
    names = "jsonpath={.spec.ephemeralContainers[*].name}"
    assert kubectl("get", "pod", "one", "-o", names) == "look"


def test_no_request_is_refused_and_sent_again(kubectl: Kubectl) -> None:
    kubectl("apply", "-f", kubectl.write(WEB))

    _, _, log = kubectl.run("apply", "-f", "objects.yaml", "-v=8")

    answers = [line for line in log.splitlines() if "Response Status:" in line]
    assert answers
    assert [line for line in answers if " 200 OK" not in line and " 201 " not in line] == []
