"""A verdict needs evidence: nobody is given up whom an observer hears, and has heard for long.

What observers say is taken from the board as it is written, and what is made of it from the store.
"""

import asyncio
from collections.abc import Callable

from services.health.core.taints import given_up_at
from shared.api.cluster import Cluster
from shared.api.meta import GROUP, read
from shared.bus.boards import decode_board_key, is_gone
from shared.bus.port import Message
from shared.events.cluster import Reach, decode_observation
from shared.events.subjects import parse_health_key
from shared.store.port import Change, ChangeType
from tests.simulation.history import History

NEEDS_EVIDENCE = "5 a verdict needs evidence"

HEARD_SECONDS = 40.0
"""Longer than any line is cut: by then whoever judges has heard of it, or writes nothing."""

_ANSWERS = (Reach.REACHABLE, Reach.NOT_READY, Reach.CREDENTIALS_REFUSED)


class Evidence:
    """Told of every word and every change of a Cluster."""

    def __init__(self, history: History) -> None:
        self._history = history
        # Since when an observer has said, without a break, that a member answers it.
        self._heard: dict[tuple[str, str], float] = {}

    def on_word(self, message: Message) -> None:
        place = parse_health_key(decode_board_key("HEALTH", message.subject))
        if not is_gone(message.headers) and decode_observation(message.body).reach in _ANSWERS:
            self._heard.setdefault(place, self._now())
        else:
            self._heard.pop(place, None)

    def on_change(self, change: Change) -> None:
        key = change.stored.key
        if (key.group, key.resource) != (GROUP, "clusters") or change.previous is None:
            return
        if change.type is not ChangeType.MODIFIED or not _is_given_up_by(change):
            return
        self._history.note(f"cluster {key.name} is given up")
        for (cluster, observer), since in sorted(self._heard.items()):
            if cluster == key.name and self._now() - since > HEARD_SECONDS:
                self._history.violated(
                    NEEDS_EVIDENCE,
                    f"{cluster} is given up, though {observer} has heard it since {since:.1f}",
                )

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def _is_given_up_by(change: Change) -> bool:
    assert change.previous is not None
    before, after = (
        read(one.manifest, Cluster).status.taints for one in (change.previous, change.stored)
    )
    return given_up_at(before) is None and given_up_at(after) is not None


class Tap:
    """Hears every message of a log at the moment it is stored."""

    def __init__(self, hear: Callable[[Message], None]) -> None:
        self._hear = hear

    def offer(self, message: Message) -> None:
        self._hear(message)
