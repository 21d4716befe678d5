"""What a revision refers to stays for as long as any cluster holds that revision."""

from pathlib import Path

from shared.apimachinery.manifest import Manifest, ObjectKey
from tests.federation import deployment, eventually
from tests.staged_federation import WEB, StagedFederation, staged_federation

STAGES = {
    "stages": [
        {"name": "canary", "clusterAffinity": {"clusterNames": ["eu-1"]}},
        {"name": "rest", "approval": "Required"},
    ],
    "onFailure": "Rollback",
}


def settings_key(name: str) -> ObjectKey:
    return ObjectKey("", "configmaps", "shop", name)


def settings(name: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop", "uid": f"uid-{name}"},
        "data": {"a": name},
    }


async def deploy(federation: StagedFederation, name: str) -> None:
    """Have the Deployment read the ConfigMap *name*."""
    manifest = deployment("web", 4)
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": name}}]
    await federation.apply(WEB, manifest)


def settings_in(federation: StagedFederation, cluster: str) -> set[str]:
    mirror = federation.members[cluster].cluster.store.mirror
    return {name for name in ("one", "two") if mirror.get(settings_key(name)) is not None}


async def test_what_an_old_revision_reads_stays_where_it_runs(tmp_path: Path) -> None:
    async with staged_federation(tmp_path, "eu-1", "us-1") as federation, federation.propagating():
        for name in ("one", "two"):
            await federation.apply(settings_key(name), settings(name))
        await federation.place({})
        await deploy(federation, "one")
        await federation.reaches("Complete", target=1)
        await federation.place(STAGES)
        await deploy(federation, "two")
        await federation.reaches("WaitingForApproval", target=2)
        assert settings_in(federation, "us-1") >= {"one"}
        assert settings_in(federation, "eu-1") >= {"two"}
        await federation.approve("rest")
        await federation.reaches("Complete", target=2)
        for cluster in federation.members:
            await eventually(lambda cluster=cluster: settings_in(federation, cluster) == {"two"})
