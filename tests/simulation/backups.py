"""Members that come back from an old backup: all of a member is as it was, and so are its counters.

What the hub had done there since is undone behind its back: what was removed is there again, what
was made is gone, and resourceVersions that somebody has read are given a second time, unless the
one who restored it had them count on from a higher number (as `etcdutl --bump-revision` does).

What is fenced is left out: a backup that starts a workload has it run twice, whatever anybody else
does (docs/critique.md).
"""

import asyncio
import random
from collections.abc import Mapping
from typing import NamedTuple

from shared.api.meta import GROUP
from shared.apimachinery.manifest import ObjectKey
from shared.store.port import Change, ChangeType, Revision, Stored
from tests.simulation.history import History
from tests.simulation.manifests import FENCED
from tests.simulation.member import Member
from tests.simulation.objects import Bucket

_BUMP = 10_000
_AWAY_SECONDS = (0.0, 20.0)


class _Backup(NamedTuple):
    objects: Mapping[ObjectKey, Stored]
    revision: Revision
    taken: float


class Backups:
    """One of each member at a time; of another membership there is none."""

    def __init__(
        self,
        members: Mapping[str, Member],
        bucket: Bucket,
        chance: random.Random,
        history: History,
    ) -> None:
        self._members = members
        self._chance = chance
        self._history = history
        self._kept: dict[str, _Backup] = {}
        bucket.store.mirror.on_change(self._on_change)

    def _on_change(self, change: Change) -> None:
        key = change.stored.key
        came_or_left = change.type is not ChangeType.MODIFIED
        if came_or_left and (key.group, key.resource) == (GROUP, "clusters"):
            # What a member held when it left is nobody's any more.
            self._kept.pop(key.name, None)

    def take(self, name: str) -> None:
        """Back a member up, in the place of its last backup."""
        mirror = self._members[name].store.mirror
        objects = {stored.key: stored for stored in mirror.items()}
        now = asyncio.get_running_loop().time()
        self._kept[name] = _Backup(objects, mirror.revision, now)
        self._history.note(f"{name} is backed up at {mirror.revision}")

    async def bring_back(self, name: str) -> None:
        """Let a member have again what it was backed up with, where it was not lost meanwhile."""
        member = self._members[name]
        if member.mode != "serves" or name not in self._kept:
            return
        # Nobody reaches it while it is stopped and filled.
        member.mode = "refuses"
        member.restart()
        await asyncio.sleep(self._chance.uniform(*_AWAY_SECONDS))
        if backup := self._kept.pop(name, None):
            self._restore(member, backup)
        member.mode = "serves"

    def _restore(self, member: Member, backup: _Backup) -> None:
        mirror = member.store.mirror
        restored = {key: one for key, one in backup.objects.items() if key.name != FENCED}
        for stored in mirror.items():
            if stored.key.name == FENCED:
                restored[stored.key] = stored
        counts_on = self._chance.random() < 0.5
        revision = Revision(mirror.revision + _BUMP) if counts_on else backup.revision
        age = asyncio.get_running_loop().time() - backup.taken
        words = f"{mirror.revision} to {revision}, {age:.0f} s old"
        self._history.note(f"{member.name} comes back from a backup: from {words}")
        member.restore(restored.values(), revision)
