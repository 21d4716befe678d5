"""What members would hold, asked of dispatch over NATS, the gateway and the command line."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hanse.__main__ import main
from hanse.client import HanseClient
from shared.apimachinery.manifest import Manifest, ObjectKey, decode
from shared.bus.memory import MemoryBus
from shared.bus.port import RequestError
from shared.events.rendering import RenderRequest
from shared.events.requests import API_RENDER
from shared.store.memory import MemoryStore
from tests.federation import Federation, deployment, deployment_key, eventually, on_jetstream
from tests.gateway import serving_gateway

WEB = deployment_key("web")
ASKED = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "resource": "deployments",
    "namespace": "shop",
    "name": "web",
}


def policy(value: str = "${cluster.region}", name: str = "p", **metadata: Any) -> Manifest:
    rule = {"overriders": {"labelsOverrider": [{"operator": "add", "value": {"region": value}}]}}
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "OverridePolicy",
        "metadata": {"name": name, **metadata},
        "spec": {"overrideRules": [rule]},
    }


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    """A Deployment divided over two members of three; nobody applies."""
    names = ["eu-1", "us-1", "ap-1"]
    async with on_jetstream(tmp_path, names, applying=False) as found:
        await found.write(WEB, deployment("web", 9))
        at = ObjectKey("hanse.dev", "overridepolicies", "shop", "p")
        await found.write(at, policy(namespace="shop", generation=1))
        await found.bind(WEB, {"eu-1": 6, "us-1": 3})
        await eventually(lambda: found.order("us-1", WEB))
        yield found


async def asked(federation: Federation, **more: Any) -> Manifest:
    body = json.dumps({**ASKED, **more}).encode()
    return decode(await federation.bus.request(API_RENDER, body, deadline=timedelta(seconds=10)))


async def test_what_is_rendered_is_what_is_ordered(federation: Federation) -> None:
    found = await asked(federation)
    assert [(one["cluster"], one["decided"], one["replicas"]) for one in found["clusters"]] == [
        ("eu-1", True, 6),
        ("us-1", True, 3),
    ]
    for one in found["clusters"]:
        order = await federation.order(one["cluster"], WEB)
        assert order is not None
        assert decode(order.manifest) == one["manifest"]
        assert one["manifest"]["metadata"]["labels"]["region"] == one["cluster"]
        (rule,) = one["rules"]
        assert (rule["policy"], rule["rule"]) == ("p", "overrideRules[0]")
        assert rule["changes"] == [
            {"path": "/metadata/labels", "after": {"region": one["cluster"]}}
        ]


async def test_a_cluster_outside_the_decision_is_rendered_and_said_to_be(
    federation: Federation,
) -> None:
    (found,) = (await asked(federation, clusters=["ap-1"]))["clusters"]
    assert not found["decided"]
    assert found["manifest"]["spec"]["replicas"] == 9


async def test_what_is_not_applied_yet_may_be_given(federation: Federation) -> None:
    template = deployment("web", 1)
    del template["metadata"]["namespace"]
    cluster = {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": "new", "labels": {"tier": "gold"}},
    }
    given = [
        policy("${cluster.labels.tier}"),
        policy("later", name="q", namespace="shop"),
        template,
        cluster,
    ]
    (found,) = (await asked(federation, clusters=["new"], objects=given))["clusters"]
    assert found["manifest"]["spec"]["replicas"] == 1
    assert found["manifest"]["metadata"]["labels"]["region"] == "later"
    assert [one["policy"] for one in found["rules"]] == ["p", "q"]
    (failed, _) = (await asked(federation, objects=given[:1]))["clusters"]
    assert "eu-1 has no label tier" in failed["error"]
    assert failed["manifest"] is None
    asked_for = msgspec.convert(
        {**ASKED, "clusters": ["ap-1"], "objects": given[1:2]}, RenderRequest
    )
    (answer,) = (await HanseClient(federation.bus, "test").render(asked_for)).clusters
    assert [one.policy for one in answer.rules] == ["p", "q"]
    # Nothing was written by asking.
    stored = await federation.store.get(ObjectKey("hanse.dev", "overridepolicies", "shop", "q"))
    assert stored is None


async def test_of_what_is_not_placed_it_is_told(federation: Federation) -> None:
    await federation.write(deployment_key("api"), deployment("api", 2))
    found = await asked(federation, name="api")
    assert found["clusters"] == []
    assert "no policy selects it" in found["message"]
    found = await asked(federation, name="api", clusters=["eu-1"])
    assert found["clusters"][0]["manifest"]["spec"]["replicas"] == 2


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        ({"name": "none"}, 404, 'deployments.apps "none" not found'),
        ({"clusters": ["nowhere"]}, 404, 'clusters.hanse.dev "nowhere" not found'),
        ({"apiVersion": "hanse.dev/v1alpha1", "resource": "clusters"}, 400, "not propagated"),
        ({"objects": [policy("${cluster.x}")]}, 422, "labelsOverrider[0].value.region"),
        ({"objects": [{**policy(), "spec": 7}]}, 422, "OverridePolicy p"),
        ({"objects": [{**policy(), "spec": {"rules": []}}]}, 422, "spec.rules: Forbidden: unknown"),
        (
            {"objects": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}]},
            400,
            "s",
        ),
        ({"objects": [{**deployment("web", 1), "spec": []}]}, 400, "spec of web"),
        ({"objects": [{**deployment("web", 1), "metadata": []}]}, 422, "Expected"),
        ({"namespace": "a", "objects": [deployment("web", 1)]}, 400, "another namespace"),
        ({"clusters": 7}, 400, "cannot be read"),
    ],
)
async def test_what_cannot_be_rendered_is_told(
    federation: Federation, more: dict[str, Any], code: int, words: str
) -> None:
    with pytest.raises(RequestError) as refused:
        await asked(federation, **more)
    assert refused.value.code == code
    assert words in str(refused.value)


async def test_people_ask_with_the_command(
    federation: Federation, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving_gateway(federation.store, federation.bus, tmp_path) as kubeconfig:

        async def run(*arguments: str) -> tuple[int, str, str]:
            options = ["render", *arguments, "-n", "shop", "--kubeconfig", str(kubeconfig)]
            status = await asyncio.to_thread(main, options)
            said = capsys.readouterr()
            return status, said.out, said.err

        status, out, _ = await run("deploy/web", "--cluster", "eu-1", "--cluster", "ap-1")
        assert status == 0
        assert "# eu-1, 6 replicas\n# OverridePolicy shop/p overrideRules[0] changes" in out
        assert "# ap-1, not in the decision\n" in out
        assert "    region: eu-1\n" in out
        status, out, _ = await run("deployments.apps/web", "--diff")
        assert (status, '    + /metadata/labels: {"region":"us-1"}\n' in out) == (0, True)
        status, out, _ = await run("deployment/web", "--json")
        assert (status, len(json.loads(out)["clusters"])) == (0, 2)
        given = tmp_path / "given.yaml"
        given.write_text(json.dumps({"kind": "List", "items": [policy("x y"), {"kind": "Other"}]}))
        status, out, err = await run("deployment/web", "-f", str(given))
        assert (status, out) == (1, "")
        assert "overrideRules[0].overriders.labelsOverrider[0].value" in err
        for asked_for, told in (
            ("nothing/web", 'no kind "nothing"'),
            ("deployment/none", 'deployments.apps "none" not found'),
        ):
            status, out, err = await run(asked_for)
            assert (status, out) == (1, "")
            assert told in err


async def test_without_a_dispatcher_the_gateway_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = Federation([], MemoryStore(), MemoryBus())
    async with serving_gateway(alone.store, alone.bus, tmp_path) as kubeconfig:
        options = ["render", "deployment/web", "--kubeconfig", str(kubeconfig)]
        assert await asyncio.to_thread(main, options) == 1
    assert "no propagator answers" in capsys.readouterr().err
