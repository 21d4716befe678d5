"""The list of scores: what other systems published, and what is measured between members.

Read from the boards when somebody asks; nothing is kept.
"""

from collections.abc import AsyncIterator, Mapping

import msgspec

from shared.api.scoring import LATENCY
from shared.apiserver.answers.requests import answering, read_request
from shared.bus.port import BoardEntry, Bus, CaughtUp, Handler
from shared.errors import MalformedEvent
from shared.events.requests import API_SCORES
from shared.events.round_trips import BOARD as LATENCIES
from shared.events.round_trips import decode_round_trip, parse_round_trip_key
from shared.events.score_list import ListScores, ScoreList, StandingScore
from shared.events.scores import BOARD as SCORES
from shared.events.scores import decode_score, parse_score_key

SHOWN_MAX = 5_000
_encode = msgspec.json.Encoder().encode


class ScoreListing:
    """Answers the request; the registry is the one who serves it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def endpoints(self) -> Mapping[str, Handler]:
        return {API_SCORES: answering(self._list)}

    async def _list(self, body: bytes) -> bytes:
        asked = read_request(body, ListScores)
        found = [one async for one in self._standing() if _is_asked_for(one, asked)]
        found.sort(key=lambda one: (one.name, one.from_cluster, one.cluster))
        shown = tuple(found[:SHOWN_MAX])
        return _encode(ScoreList(scores=shown, more=len(found) - len(shown)))

    async def _standing(self) -> AsyncIterator[StandingScore]:
        for board, read in ((SCORES, _published), (LATENCIES, _measured)):
            async with self._bus.board(board).follow() as entries:
                async for entry in entries:
                    if isinstance(entry, CaughtUp):
                        break
                    found = read(entry)
                    if found is not None:
                        yield found


def _is_asked_for(one: StandingScore, asked: ListScores) -> bool:
    return asked.name in ("", one.name) and asked.cluster in ("", one.cluster)


def _published(entry: BoardEntry) -> StandingScore | None:
    if entry.value is None:
        return None
    try:
        name, cluster = parse_score_key(entry.key)
        said = decode_score(entry.value)
    except (ValueError, MalformedEvent):
        return None
    return StandingScore(
        name=name, cluster=cluster, value=said.value, source=said.source, at=said.at
    )


def _measured(entry: BoardEntry) -> StandingScore | None:
    if entry.value is None:
        return None
    try:
        origin, target = parse_round_trip_key(entry.key)
        found = decode_round_trip(entry.value)
    except (ValueError, MalformedEvent):
        return None
    return StandingScore(
        name=LATENCY,
        cluster=target,
        value=found.milliseconds,
        source=f"propagator beside {origin}",
        at=found.at,
        from_cluster=origin,
    )
