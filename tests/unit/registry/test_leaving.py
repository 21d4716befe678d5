"""A cluster that leaves, and one of that name that comes at the same moment."""

from datetime import timedelta

from services.registry.reconcilers.clusters import ClusterReconciler
from services.registry.settings import Settings
from shared.bus.memory import MemoryBus
from shared.bus.port import Board
from shared.clock import SystemClock
from shared.events import subjects
from shared.store.memory import MemoryStore
from tests.integration.watched_member import KEY, Members, register

SECRET = subjects.member_key("eu-1")


class CrowdedBus(MemoryBus):
    """Somebody registers eu-1 just before the first look at the board of credentials."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__()
        self._store: MemoryStore | None = store

    def board(self, name: str) -> Board:
        return CrowdedBoard(self, super().board(name))

    async def crowd(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            await register(store, self, "eu-1")


class CrowdedBoard:
    def __init__(self, bus: CrowdedBus, board: Board) -> None:
        self._bus = bus
        self.put, self.delete, self.follow = board.put, board.delete, board.follow
        self.entry = board.entry
        self._get = board.get

    async def get(self, key: str) -> bytes | None:
        await self._bus.crowd()
        return await self._get(key)


async def test_the_credentials_of_a_cluster_that_comes_while_its_namesake_leaves_are_kept() -> None:
    store = MemoryStore()
    bus = CrowdedBus(store)
    woken: list[str] = []
    reconciler = ClusterReconciler(
        store,
        bus,
        key=KEY,
        connect=Members().connect,
        clock=SystemClock(),
        settings=Settings(join_retry=timedelta(milliseconds=30)),
        wake=woken.append,
    )
    await reconciler.reconcile("eu-1")
    assert await bus.board("SECRETS").get(SECRET) is not None
    assert woken == ["eu-1"]


async def test_the_credentials_of_a_cluster_that_left_are_removed() -> None:
    store, bus = MemoryStore(), MemoryBus()
    await bus.board("SECRETS").put(SECRET, b"sealed")
    reconciler = ClusterReconciler(
        store,
        bus,
        key=KEY,
        connect=Members().connect,
        clock=SystemClock(),
        settings=Settings(),
        wake=lambda _: None,
    )
    await reconciler.reconcile("eu-1")
    assert await bus.board("SECRETS").get(SECRET) is None
