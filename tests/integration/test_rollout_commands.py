"""`hanse rollout` as people use it: against a gateway, while everything runs."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hanse.__main__ import main
from shared.api.meta import API_VERSION, GROUP
from shared.apimachinery.manifest import Manifest, ObjectKey
from tests.federation import eventually
from tests.gateway import serving_gateway
from tests.staged_federation import BROKEN, WEB, StagedFederation, staged_federation

ONE, TWO = "registry.example/web:1", "registry.example/web:2"
STAGES = {
    "stages": [
        {"name": "canary", "clusterAffinity": {"clusterNames": ["eu-1"]}},
        {"name": "rest", "approval": "Required"},
    ],
    "onFailure": "Rollback",
}
NEAR = ObjectKey(GROUP, "overridepolicies", "shop", "near")
Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[StagedFederation]:
    """Two members that run revision 1 in stages."""
    async with staged_federation(tmp_path, "eu-1", "us-1") as found, found.propagating():
        await found.deploy(ONE)
        await found.place({})
        await found.reaches("Complete", target=1)
        await found.place(STAGES)
        yield found


@pytest.fixture
async def run(
    federation: StagedFederation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Run]:
    """Runs `hanse rollout`; gives exit status, output and what was said beside it."""
    async with serving_gateway(federation.store, federation.bus, tmp_path) as kubeconfig:

        async def command(verb: str, *arguments: str) -> tuple[int, str, str]:
            options = ["rollout", verb, "deployment/web", "-n", "shop", *arguments]
            found = await asyncio.to_thread(main, [*options, "--kubeconfig", str(kubeconfig)])
            said = capsys.readouterr()
            return found, said.out, said.err

        yield command


def near(tag: str) -> Manifest:
    image = {"component": "Tag", "operator": "replace", "value": tag}
    rule = {
        "targetCluster": {"clusterNames": ["us-1"]},
        "overriders": {"imageOverrider": [image]},
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "OverridePolicy",
        "metadata": {"name": "near", "namespace": "shop", "uid": "uid-near"},
        "spec": {"overrideRules": [rule]},
    }


async def test_people_follow_and_approve_a_change(federation: StagedFederation, run: Run) -> None:
    await federation.deploy(TWO)
    await federation.reaches("WaitingForApproval", target=2)
    status, out, _ = await run("status")
    assert status == 0
    assert "deployment/web in shop: WaitingForApproval" in out
    assert [line.split()[:3] for line in out.splitlines() if line.startswith(("canary", "rest"))]
    assert "us-1     rest    1         Waiting" in out
    assert json.loads((await run("status", "--json"))[1])["status"]["targetRevision"] == 2
    assert await run("approve", "--revision", "1") == (
        1,
        "",
        "revision 2 of deployment/web in shop is under way, not 1\n",
    )
    assert (await run("approve", "--stage", "none"))[0] == 1
    watching = asyncio.create_task(run("status", "--watch"))
    status, out, _ = await run("approve")
    assert status == 0
    assert (await watching)[0] == 0
    await federation.reaches("Complete", target=2)
    assert (await run("approve"))[0] == 1, "nothing waits any more"
    status, out, _ = await run("history")
    assert [line.split()[0] for line in out.splitlines()] == ["REVISION", "1", "2"]
    assert "target,complete" in out
    assert "image: registry.example/web:1" in (await run("history", "--revision", "1"))[1]
    assert (await run("history", "--revision", "7"))[0] == 1


async def test_people_pause_and_resume(federation: StagedFederation, run: Run) -> None:
    assert (await run("pause"))[0] == 0
    await federation.deploy(TWO)
    await federation.reaches("Paused", target=2)
    assert federation.images() == {"eu-1": "web:1", "us-1": "web:1"}
    assert (await run("resume"))[0] == 0
    await federation.reaches("WaitingForApproval", target=2)
    assert (await run("retry")) == (
        1,
        "",
        "deployment/web in shop has not failed: it is WaitingForApproval\n",
    )


async def test_what_failed_is_tried_again_or_undone(federation: StagedFederation, run: Run) -> None:
    await federation.place({**STAGES, "progressDeadline": "1s"})
    await federation.deploy(BROKEN)
    await federation.reaches("RolledBack", target=2)
    assert (await run("status", "--watch"))[0] == 1
    assert (await run("retry"))[0] == 0
    await eventually(lambda: federation.status().attempt == 1)
    await federation.reaches("RolledBack", target=2)
    status, out, _ = await run("undo", "--dry-run")
    assert out == "deployment/web in shop would be put back to revision 1\n"
    await federation.deploy(BROKEN, replicas=10)
    status, out, _ = await run("undo")
    assert (status, out) == (0, "deployment/web in shop is put back to revision 1\n")
    await federation.reaches("Complete", target=1)
    await eventually(lambda: federation.replicas() == {"eu-1": 5, "us-1": 5})
    written = await federation.store.get(WEB)
    assert written is not None
    assert ONE in str(written.manifest)
    assert federation.revisions() == [1, 2], "what is complete needs no new number"
    again = await run("undo", "--to-revision", "1")
    assert again[1] == "deployment/web in shop is what revision 1 says already\n"
    assert (await run("undo", "--to-revision", "9"))[2] == "revision 9 is not kept: 1, 2\n"


async def test_overrides_are_put_back_when_that_is_asked_for(
    federation: StagedFederation, run: Run
) -> None:
    for number, tag in enumerate(("a", "b"), 2):
        await federation.apply(NEAR, near(tag))
        await federation.reaches("WaitingForApproval", target=number)
        await federation.approve("rest")
        await federation.reaches("Complete", target=number)
    assert federation.image("us-1") == "registry.example/web:b"
    status, out, err = await run("undo")
    assert (status, out) == (0, "deployment/web in shop is what revision 2 says already\n")
    assert err == "OverridePolicy shop/near is not as it was; --overrides puts it back\n"
    status, out, err = await run("undo", "--overrides")
    assert (out, err) == ("shop/near is put back to revision 2\n", "")
    await federation.reaches("WaitingForApproval", target=4)
    assert (await run("approve"))[0] == 0
    await federation.reaches("Complete", target=4)
    assert federation.image("us-1") == "registry.example/web:a"
    status, _, err = await run("undo", "--to-revision", "1", "--overrides")
    assert err == "OverridePolicy shop/near did not apply then, and still does\n"


@pytest.mark.parametrize("what", ["template", "rollout"])
async def test_what_is_not_there_is_said(
    federation: StagedFederation, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    named = "deployment/none" if what == "template" else "namespace/shop"
    async with serving_gateway(federation.store, federation.bus, tmp_path) as kubeconfig:
        await federation.apply(
            ObjectKey("", "namespaces", "", "shop"),
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "u"}},
        )
        options: list[Any] = ["rollout", "status", named, "-n", "shop"]
        status = await asyncio.to_thread(main, [*options, "--kubeconfig", str(kubeconfig)])
    said = {
        "template": "there is no deployment/none in shop\n",
        "rollout": "no policy with a rollout selects namespace/shop\n",
    }
    assert (status, capsys.readouterr().err) == (1, said[what])
