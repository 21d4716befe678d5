"""What ran to its end in a member and was cleaned away there is not run again.

The member's own API server, or a real one, carries out what a controller would.
"""

from typing import Any

from shared.apimachinery.manifest import GroupVersionKind, Manifest, copy
from shared.events.work import WorkReport
from shared.memberapi.http import open_member
from shared.memberapi.port import ResourceType
from tests.federation import SOON, Federation, eventually
from tests.integration.either_member import (
    CONFIG_MAPS,
    MEMBER,
    NAMESPACE,
    NOW,
    Ground,
    a_config_map,
)

ROLE_BINDINGS = ResourceType(
    GroupVersionKind("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    "rolebindings",
    namespaced=True,
)
JOBS = ResourceType(GroupVersionKind("batch", "v1", "Job"), "jobs", namespaced=True)
PODS = ResourceType(GroupVersionKind("", "v1", "Pod"), "pods", namespaced=True)
LATER = "2026-01-01T00:01:00Z"
_PATH = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/known"


def a_job(name: str, *, image: str = "busybox:1", **annotations: str) -> Manifest:
    container = {"name": "main", "image": image}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "ttlSecondsAfterFinished": 0,
            "template": {"spec": {"restartPolicy": "Never", "containers": [container]}},
        },
    }


async def progress(ground: Ground, name: str, status: dict[str, Any]) -> None:
    """Play the member's controller."""
    patch = {"status": {"startTime": NOW, **status}}
    assert await ground.api.merge(
        JOBS, NAMESPACE, name, patch, manager="kube-controller-manager", subresource="status"
    )


async def complete(ground: Ground, name: str) -> None:
    conditions = [
        {"type": one, "status": "True", "lastTransitionTime": LATER, "lastProbeTime": LATER}
        for one in ("SuccessCriteriaMet", "Complete")
    ]
    done = {"succeeded": 1, "uncountedTerminatedPods": {}, "completionTime": LATER}
    await progress(ground, name, {**done, "conditions": conditions})


async def told(ground: Ground, name: str, after: int = 0) -> WorkReport:
    """The report that it is well, for an order after that one."""
    return await ground.reported(
        JOBS, name, lambda it: it.applied and it.health == "Healthy" and it.generation > after
    )


async def test_a_job_that_its_member_cleans_away_is_done(ground: Ground) -> None:
    binding = await ground.order(JOBS, a_job("once"))
    await ground.applied(JOBS, "once")
    # Both in one breath, as with a term of nothing.
    await complete(ground, "once")
    await ground.remove(JOBS, "once")
    await ground.until_gone(JOBS, "once")
    report = await told(ground, "once")
    # Nor for an order that is new for another reason than the template's.
    await ground.order(JOBS, a_job("once", note="new"))
    report = await told(ground, "once", report.generation)
    assert report.status["succeeded"] == 1
    assert await ground.live(JOBS, "once") == {}
    # Another template is another run.
    await ground.take_back(binding)
    await ground.order(JOBS, a_job("once", image="busybox:2"), generation=2)
    await ground.until_live(JOBS, "once")


async def test_a_job_that_somebody_deletes_while_it_runs_is_made_again(ground: Ground) -> None:
    await ground.order(JOBS, a_job("running"))
    await ground.applied(JOBS, "running")
    before = (await ground.live(JOBS, "running"))["metadata"]["uid"]
    await progress(ground, "running", {"active": 1, "uncountedTerminatedPods": {}})
    await ground.remove(JOBS, "running")
    await ground.until_live(JOBS, "running", lambda live: live["metadata"]["uid"] != before)


async def test_a_pod_that_was_ended_by_its_deletion_is_made_again(ground: Ground) -> None:
    """Kubelet gives a running Pod a last phase before it goes, whoever deleted it."""
    await ground.order(PODS, a_pod("runs"))
    await ground.applied(PODS, "runs")
    before = (await ground.live(PODS, "runs"))["metadata"]["uid"]
    await ground.edit(PODS, "runs", {"metadata": {"finalizers": ["example.org/kubelet"]}})
    await ground.remove(PODS, "runs")
    await ground.reported(PODS, "runs", lambda it: it.reason == "Terminating")
    await phase(ground, "runs", "Failed")
    await ground.reported(PODS, "runs", lambda it: it.status.get("phase") == "Failed")
    await ground.edit(PODS, "runs", {"metadata": {"finalizers": None}})
    await ground.until_live(PODS, "runs", lambda live: live["metadata"]["uid"] != before)


async def test_a_pod_that_ended_and_is_then_deleted_is_done(ground: Ground) -> None:
    await ground.order(PODS, a_pod("done"))
    await ground.applied(PODS, "done")
    await phase(ground, "done", "Succeeded")
    await ground.reported(PODS, "done", lambda it: it.status.get("phase") == "Succeeded")
    await ground.remove(PODS, "done")
    await ground.until_gone(PODS, "done")
    # Whatever comes later was looked at later.
    await ground.order(CONFIG_MAPS, a_config_map("later", a="1"))
    await ground.applied(CONFIG_MAPS, "later")
    await ground.order(PODS, a_pod("done", note="new"))
    await ground.reported(PODS, "done", lambda it: it.status.get("phase") == "Succeeded")
    assert await ground.live(PODS, "done") == {}


async def phase(ground: Ground, name: str, phase: str) -> None:
    """Play kubelet."""
    patch = {"status": {"phase": phase}}
    assert await ground.api.merge(
        PODS, NAMESPACE, name, patch, manager="kubelet", subresource="status"
    )


def a_pod(name: str, **annotations: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "busybox:1"}]},
    }


async def test_whoever_works_for_the_member_next_knows_that_it_is_done() -> None:
    federation = Federation([MEMBER])
    async with (
        federation.serving(),
        federation.dispatching(),
        open_member(federation.members[MEMBER].credentials(), name="somebody") as api,
    ):
        ground = Ground(federation, api)
        async with federation.applying(retries=SOON):
            await ground.order(JOBS, a_job("known"))
            await ground.applied(JOBS, "known")
            await complete(ground, "known")
            await told(ground, "known")
        await ground.remove(JOBS, "known")
        async with federation.applying(retries=SOON):
            await ground.order(JOBS, a_job("after"))
            await ground.applied(JOBS, "after")
            # It is asked after, and found to be gone.
            await eventually(lambda: ("GET", _PATH) in federation.members[MEMBER].requests)
            await ground.order(JOBS, a_job("later"))
            await ground.applied(JOBS, "later")
            assert await ground.live(JOBS, "known") == {}


async def test_a_job_under_the_name_of_a_deleted_one_is_another_run(ground: Ground) -> None:
    """As with `kubectl replace --force`: the member never hears of the end in between."""
    await ground.order(JOBS, a_job("again"))
    await ground.applied(JOBS, "again")
    await complete(ground, "again")
    before = await told(ground, "again")
    await succeed(ground, JOBS, a_job("again"))
    await ground.until_live(JOBS, "again", lambda live: live["metadata"]["uid"] != before.uid)


async def test_what_cannot_be_changed_makes_way_for_what_follows_its_template(
    ground: Ground,
) -> None:
    await ground.order(ROLE_BINDINGS, a_role_binding("b", role="a"))
    await ground.applied(ROLE_BINDINGS, "b")
    await succeed(ground, ROLE_BINDINGS, a_role_binding("b", role="c"))
    await ground.until_live(ROLE_BINDINGS, "b", lambda live: live["roleRef"]["name"] == "c")
    # Where the former was to stay it is in the way, and that is told.
    await succeed(ground, ROLE_BINDINGS, a_role_binding("b", role="d"), former="Keep", count=3)
    await ground.reported(ROLE_BINDINGS, "b", lambda it: it.reason == "Invalid")
    assert (await ground.live(ROLE_BINDINGS, "b"))["roleRef"]["name"] == "c"


async def test_what_can_be_changed_stays_where_it_is(ground: Ground) -> None:
    await ground.order(CONFIG_MAPS, a_config_map("c", a="1"))
    await ground.applied(CONFIG_MAPS, "c")
    before = (await ground.live(CONFIG_MAPS, "c"))["metadata"]["uid"]
    await succeed(ground, CONFIG_MAPS, a_config_map("c", a="2"))
    live = await ground.until_live(CONFIG_MAPS, "c", lambda it: it["data"] == {"a": "2"})
    assert live["metadata"]["uid"] == before


def a_role_binding(name: str, *, role: str) -> Manifest:
    group = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": role},
    }


async def succeed(
    ground: Ground,
    kind: ResourceType,
    manifest: Manifest,
    *,
    former: str = "Delete",
    count: int = 2,
) -> None:
    """Put another template in the place of a deleted one before anybody saw the end of that."""
    key = ground.key(kind, manifest["metadata"]["name"])
    template = copy(manifest)
    known = {"namespace": NAMESPACE, "uid": f"uid-{count}", "generation": 1}
    template["metadata"] |= known
    await ground.federation.write(key, template)
    await ground.federation.bind(key, {MEMBER: None}, formerTemplate=former)
