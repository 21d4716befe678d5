"""An API server whose mirror has not seen an object yet, which others wrote a moment ago."""

from collections.abc import AsyncIterator, Callable, Iterable

import pytest

from shared.apimachinery.manifest import ObjectKey
from shared.store.memory import MemoryStore
from shared.store.port import EVERYTHING, Change, Mirror, Revision, Scope, Stored
from tests.served_api import DEPLOYMENTS, Served, deployment, served_api

WEB = ObjectKey("apps", "deployments", "default", "web")
PART = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
}


class LateMirror:
    """All of another mirror, but the objects that it is late with."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self.late: set[ObjectKey] = set()

    @property
    def revision(self) -> Revision:
        return self._mirror.revision

    def get(self, key: ObjectKey) -> Stored | None:
        return None if key in self.late else self._mirror.get(key)

    def items(self, scope: Scope = EVERYTHING) -> Iterable[Stored]:
        return [stored for stored in self._mirror.items(scope) if stored.key not in self.late]

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        return self._mirror.on_change(listener)


class LateStore(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.seen = LateMirror(super().mirror)

    @property
    def mirror(self) -> Mirror:
        return self.seen


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with served_api(LateStore()) as found:
        yield found


async def written_unseen(served: Served) -> None:
    assert (await served.client.apply(f"{DEPLOYMENTS}/web", deployment("web"), "one")).code == 201
    assert isinstance(served.store, LateStore)
    served.store.seen.late.add(WEB)


async def test_applying_what_exists_unseen_changes_it(served):
    await written_unseen(served)
    answer = await served.client.apply(f"{DEPLOYMENTS}/web", deployment("web", replicas=3), "one")

    assert answer.code == 200
    assert answer.body["spec"]["replicas"] == 3
    assert answer.metadata["generation"] == 2


async def test_a_part_that_makes_no_whole_object_is_applied_to_one_that_exists_unseen(served):
    await written_unseen(served)
    part = {**PART, "spec": {"replicas": 5}}
    answer = await served.client.apply(f"{DEPLOYMENTS}/web", part, "two", force="true")

    assert answer.code == 200
    assert answer.body["spec"]["replicas"] == 5
    assert answer.body["spec"]["selector"] == {"matchLabels": {"app": "web"}}


async def test_a_part_that_makes_no_whole_object_is_refused_where_there_is_none(served):
    part = {**PART, "spec": {"replicas": 5}}
    answer = await served.client.apply(f"{DEPLOYMENTS}/web", part, "two")

    assert answer.code == 422
    assert "spec.selector" in answer.body["message"]


async def test_a_dependent_of_an_owner_that_exists_unseen_stays(served):
    await written_unseen(served)
    uid = (await served.client.get(f"{DEPLOYMENTS}/web")).metadata["uid"]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid}
    orphan = {**owner, "uid": "of-nobody"}
    await served.client.post(DEPLOYMENTS, deployment("kept", ownerReferences=[owner]))
    await served.client.post(DEPLOYMENTS, deployment("gone", ownerReferences=[orphan]))
    # The collector takes them in order.
    while (await served.client.get(f"{DEPLOYMENTS}/gone")).code != 404:
        pass

    assert (await served.client.get(f"{DEPLOYMENTS}/kept")).code == 200
