"""Scores of other systems: put on the board SCORES for as long as they say."""

from datetime import timedelta

from services.registry.core.scores import check_scores
from shared.api.meta import API_VERSION, GROUP
from shared.apimachinery.manifest import ObjectKey
from shared.apiserver.names import check_label
from shared.bus.port import Bus
from shared.clock import Clock, format_micro_time
from shared.errors import InvalidObject
from shared.events.commands import CommandResult
from shared.events.scores import (
    BOARD,
    PublishedScore,
    PublishScores,
    encode_score,
    score_key,
)
from shared.store.port import ObjectStore

_FAULTS_MAX = 20


class ScoreDoor:
    """Takes what is right of a command, cluster by cluster."""

    def __init__(self, bus: Bus, store: ObjectStore, clock: Clock) -> None:
        self._board = bus.board(BOARD)
        self._store = store
        self._clock = clock

    async def publish(self, asked: PublishScores, source: str) -> list[CommandResult]:
        """Return a result for each cluster; raises `InvalidObject` for what is wrong for all."""
        faults = list(check_scores(asked))
        if faults:
            words = "; ".join(map(str, faults[:_FAULTS_MAX]))
            raise InvalidObject(f"scores {asked.name[:100]} are not taken: {words}", faults)
        return [
            await self._put(asked, cluster, value, source)
            for cluster, value in asked.values.items()
        ]

    async def _put(
        self, asked: PublishScores, cluster: str, value: float | None, source: str
    ) -> CommandResult:
        key = score_key(asked.name, cluster)
        if not await self._is_known(cluster):
            return CommandResult(
                api_version=API_VERSION,
                kind="Cluster",
                name=cluster,
                outcome="refused",
                code=404,
                reason="NotFound",
                message=f'clusters.hanse.dev "{cluster[:100]}" not found',
            )
        if value is None:
            await self._board.delete(key)
        else:
            said = PublishedScore(
                value=value, source=source, at=format_micro_time(self._clock.now())
            )
            ttl = timedelta(seconds=asked.ttl_seconds)
            await self._board.put(key, encode_score(said), ttl=ttl)
        outcome = "scored" if value is not None else "absent"
        return CommandResult(api_version=API_VERSION, kind="Cluster", name=cluster, outcome=outcome)

    async def _is_known(self, cluster: str) -> bool:
        if check_label(cluster):
            return False
        key = ObjectKey(GROUP, "clusters", "", cluster)
        return self._store.mirror.get(key) is not None or await self._store.get(key) is not None
