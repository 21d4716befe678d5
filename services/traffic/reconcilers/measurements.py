"""What load balancers tell of the traffic they carry, kept until a decision has taken it in."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from services.traffic.core.deciding import Told
from services.traffic.reconcilers.guarding import Guard
from shared.bus.port import BoardEntry, Bus, CaughtUp
from shared.events.traffic import BOARD, TrafficWord, decode_word, parse_word_key

_MESSAGE_MAX = 300


class PolicyName(NamedTuple):
    namespace: str
    name: str


@dataclass(slots=True)
class _Account:
    """What is not yet taken in, by cluster, and the last words of all who tell."""

    words: dict[str, TrafficWord] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)


class MeasurementTable:
    """Follows the board TRAFFIC; *wake* is called with each policy of which there is news."""

    def __init__(self, bus: Bus, wake: Callable[[PolicyName], None], guard: Guard) -> None:
        self._bus = bus
        self._guard = guard
        self._wake = wake
        self._accounts: dict[PolicyName, _Account] = {}
        self.known = asyncio.Event()
        """Set once every word that stands has been heard."""

    async def run(self) -> None:
        async with self._bus.board(BOARD).follow() as entries:
            async for entry in entries:
                if isinstance(entry, CaughtUp):
                    self.known.set()
                else:
                    self.take(entry)

    def told(self, policy: PolicyName) -> Told:
        """Return what was told and not yet settled."""
        account = self._accounts.get(policy)
        return Told(dict(account.requests), dict(account.errors)) if account else Told()

    def settle(self, policy: PolicyName, told: Told) -> None:
        """Take *told* out of the account: it is written down."""
        account = self._accounts.get(policy)
        if account is not None:
            _subtract(account.requests, told.requests)
            _subtract(account.errors, told.errors)

    def amiss(self, policy: PolicyName) -> list[tuple[str, str]] | None:
        """Return what hinders those who carry it, a reason and a message each.

        None where nobody tells of it.
        """
        account = self._accounts.get(policy)
        if account is None or not account.words:
            return None
        return [
            (word.trouble.reason, f"{front}: {word.trouble.message[:_MESSAGE_MAX]}")
            for front, word in sorted(account.words.items())
            if word.trouble is not None
        ]

    def demand(self, policy: PolicyName) -> Mapping[str, int]:
        """Return requests per second by region, as those tell that still speak."""
        account = self._accounts.get(policy)
        found: dict[str, float] = {}
        for word in account.words.values() if account else ():
            if word.region:
                found[word.region] = found.get(word.region, 0.0) + max(0.0, word.rate)
        return {region: round(rate) for region, rate in found.items()}

    def take(self, entry: BoardEntry) -> None:
        with self._guard.taking("measurements", entry.key):
            self._take(entry)

    def _take(self, entry: BoardEntry) -> None:
        namespace, name, front = parse_word_key(entry.key)
        word = decode_word(entry.value) if entry.value is not None else None
        policy = PolicyName(namespace, name)
        account = self._accounts.setdefault(policy, _Account())
        if word is None:
            account.words.pop(front, None)
            if not account.words:
                self._accounts.pop(policy, None)
        else:
            self._add(account, account.words.get(front), word)
            account.words[front] = word
        self._wake(policy)

    def _add(self, account: _Account, before: TrafficWord | None, word: TrafficWord) -> None:
        """Add what was counted since the last word; the first word is where counting begins."""
        if before is None or before.epoch != word.epoch:
            return
        old = {one.cluster: one for one in before.counts}
        for one in word.counts:
            last = old.get(one.cluster)
            requests = one.requests - (last.requests if last else 0)
            errors = one.errors - (last.errors if last else 0)
            _add_one(account.requests, one.cluster, requests)
            _add_one(account.errors, one.cluster, min(errors, requests))


def _add_one(sums: dict[str, int], cluster: str, count: int) -> None:
    if count > 0:
        sums[cluster] = sums.get(cluster, 0) + count


def _subtract(sums: dict[str, int], taken: Mapping[str, int]) -> None:
    for cluster, count in taken.items():
        left = sums.get(cluster, 0) - count
        if left > 0:
            sums[cluster] = left
        else:
            sums.pop(cluster, None)
