"""What would happen if, asked of the scheduler over NATS, the gateway and the command line."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hanse.__main__ import main
from hanse.client import HanseClient
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.bus.port import RequestError
from shared.events.planning import Plan, PlannedChange, PlanRequest, SupposedTemplate
from shared.events.requests import API_PLAN
from tests.federation import Federation, deployment, deployment_key, eventually
from tests.gateway import serving_gateway
from tests.scheduled_federation import apply, scheduled_federation

WEB = deployment_key("web")
POLICY = ObjectKey("hanse.dev", "propagationpolicies", "shop", "p")
BINDING = ObjectKey("hanse.dev", "resourcebindings", "shop", "web-deployment")


def a_policy(**placement: Any) -> Manifest:
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "PropagationPolicy",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {
            "resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}],
            "placement": {
                "replicaScheduling": {"replicaSchedulingType": "Divided"},
                **placement,
            },
        },
    }


def a_cluster(name: str, **status: Any) -> Manifest:
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name},
        "spec": {"region": "eu"},
        "status": status,
    }


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    """A Deployment divided over two members."""
    async with scheduled_federation(tmp_path, "eu-1", "us-1") as found:
        await apply(found, POLICY, a_policy())
        await apply(found, WEB, deployment("web", 8))
        await eventually(lambda: placed(found))
        yield found


async def placed(federation: Federation) -> Manifest | None:
    stored = await federation.store.get(BINDING)
    clusters = stored.manifest["spec"]["clusters"] if stored is not None else ()
    return stored.manifest if stored is not None and len(clusters) == 2 else None


async def planned(federation: Federation, **asked: Any) -> Plan:
    return await HanseClient(federation.bus, "test").plan(PlanRequest(**asked))


def shares(change: PlannedChange) -> tuple[dict[str, int | None], dict[str, int | None]]:
    before, after = (
        {one.cluster: one.replicas for one in some} for some in (change.before, change.after)
    )
    return before, after


async def test_a_lost_cluster(federation: Federation) -> None:
    before = await placed(federation)
    plan = await planned(federation, lose=("eu-1",))
    (change,) = plan.changes
    assert shares(change) == ({"eu-1": 4, "us-1": 4}, {"us-1": 8})
    assert (change.name, change.policy, change.fits) == ("web", "shop/p", True)
    assert (plan.moved, plan.interrupted, plan.unplaced) == (4, 4, 0)
    # Nothing is written by asking.
    assert await placed(federation) == before


async def test_all_clusters_lost(federation: Federation) -> None:
    plan = await planned(federation, lose=("eu-1", "us-1"))
    (change,) = plan.changes
    assert (change.fits, change.fitted, plan.unplaced) == (False, True, 1)
    assert (change.reason, change.interrupted) == ("NoClusterFit", 8)


async def test_a_cluster_that_joins(federation: Federation) -> None:
    plan = await planned(federation, objects=(a_cluster("ap-1"),))
    (change,) = plan.changes
    before, after = shares(change)
    assert before == {"eu-1": 4, "us-1": 4}
    assert sorted(after.values(), key=str) == [2, 3, 3]
    assert (plan.moved, plan.interrupted) == (2, 0)


async def test_a_policy_as_it_would_be(federation: Federation) -> None:
    policy = a_policy(clusterAffinity={"clusterNames": ["eu-1"]})
    plan = await planned(federation, objects=(policy,), namespace="shop")
    (change,) = plan.changes
    assert shares(change)[1] == {"eu-1": 8}
    # It moves without a moment of fewer.
    assert (plan.moved, plan.interrupted) == (4, 0)
    nowhere = a_policy(clusterAffinity={"clusterNames": ["none"]})
    (change,) = (await planned(federation, objects=(nowhere,))).changes
    assert (change.fits, shares(change)[1]) == (False, {"eu-1": 4, "us-1": 4})


async def test_a_template_as_it_would_be_and_a_new_one(federation: Federation) -> None:
    given = tuple(
        SupposedTemplate(resource="deployments", namespace="shop", manifest=deployment(name, count))
        for name, count in (("web", 10), ("api", 2))
    )
    plan = await planned(federation, templates=given)
    api, web = plan.changes
    assert shares(web)[1] == {"eu-1": 5, "us-1": 5}
    assert shares(api) == ({}, {"eu-1": 1, "us-1": 1})
    assert (plan.moved, plan.templates) == (0, 2)


async def test_a_taint_on_a_cluster_and_a_policy_that_selects_nothing(
    federation: Federation,
) -> None:
    cluster = a_cluster("us-1")
    cluster["spec"]["taints"] = [{"key": "x", "effect": "NoExecute"}]
    (change,) = (await planned(federation, objects=(cluster,))).changes
    assert shares(change)[1] == {"eu-1": 8}
    policy = a_policy()
    policy["spec"]["resourceSelectors"] = [{"apiVersion": "v1", "kind": "Secret"}]
    (change,) = (await planned(federation, objects=(policy,))).changes
    assert (change.reason, shares(change)[1], change.interrupted) == ("NotSelected", {}, 8)


async def test_nothing_supposed_moves_nothing(federation: Federation) -> None:
    plan = await planned(federation)
    assert (plan.changes, plan.templates, plan.examined) == ((), 1, 1)


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ({"lose": ["nowhere"]}, 404, 'clusters.hanse.dev "nowhere" not found'),
        ({"objects": [{**a_policy(), "spec": 7}]}, 422, "PropagationPolicy p"),
        ({"objects": [{**a_policy(), "spec": {"rules": []}}]}, 422, "Forbidden: unknown"),
        ({"objects": [a_policy(clusterAffinity={"exclude": 7})]}, 422, "exclude"),
        ({"objects": [deployment("web", 1)]}, 400, "has no part in a plan"),
        (
            {"templates": [{"resource": "clusters", "manifest": a_cluster("x")}]},
            400,
            "not propagated",
        ),
        ({"objects": [{"kind": "Cluster", "apiVersion": "hanse.dev/v1alpha1"}]}, 422, "name"),
        ({"lose": 7}, 400, "cannot be read"),
    ],
)
async def test_what_makes_no_sense_is_told(
    federation: Federation, asked: dict[str, Any], code: int, words: str
) -> None:
    with pytest.raises(RequestError) as refused:
        await federation.bus.request(
            API_PLAN, json.dumps(asked).encode(), deadline=timedelta(seconds=10)
        )
    assert refused.value.code == code
    assert words in str(refused.value)


async def test_people_ask_with_the_command(
    federation: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving_gateway(federation.store, federation.bus, tmp_path) as kubeconfig:

        async def run(*arguments: str) -> tuple[int, str, str]:
            # What the services of this process have said until now is not of the command.
            capsys.readouterr()
            options = ["plan", *arguments, "--kubeconfig", str(kubeconfig)]
            status = await asyncio.to_thread(main, options)
            said = capsys.readouterr()
            return status, said.out, said.err

        status, out, _ = await run("--lose", "eu-1")
        assert status == 0
        assert out.startswith("Deployment shop/web: eu-1 4 -> 0, us-1 4 -> 8\n")
        assert (await run("--lose", "eu-1", "--detailed-exitcode"))[0] == 2
        assert (await run("--lose", "eu-1", "--lose", "us-1"))[0] == 3
        added = tmp_path / "added.yaml"
        # What else stands in the file of a cluster is passed over.
        items = [a_cluster("ap-1"), deployment("web", 2), {**a_policy(), "kind": "Whatever"}]
        added.write_text(json.dumps({"kind": "List", "items": items}))
        status, out, _ = await run("--add", str(added), "--json")
        assert (status, json.loads(out)["interrupted"]) == (0, 0)
        changed = tmp_path / "changed.yaml"
        web = deployment("web", 2)
        changed.write_text(json.dumps({"kind": "List", "items": [web, a_policy()]}))
        status, out, _ = await run("-f", str(changed), "-n", "shop")
        assert (status, "eu-1 4 -> 1, us-1 4 -> 1" in out) == (0, True)
        none = tmp_path / "no-cluster.yaml"
        none.write_text(json.dumps(web))
        for arguments, told in (
            ((), "nothing is supposed"),
            (("--add", str(none)), "holds no Cluster"),
            (("--without", "deployment/none", "-n", "shop"), '"none" not found'),
            (("--lose", "none"), '"none" not found'),
            (("-f", str(tmp_path / "none")), "No such file"),
        ):
            status, out, err = await run(*arguments)
            assert (status, out) == (1, "")
            assert told in err
