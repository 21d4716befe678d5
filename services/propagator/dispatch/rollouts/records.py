"""Rollouts and revisions in the store's mirror, by the template they are about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.propagator.core.rollout.revisions import Recorded
from shared.api.binding import ObjectReference
from shared.api.meta import GROUP, read
from shared.api.revision import REVISIONS, ResourceRevision
from shared.api.rollout import ROLLOUTS, ResourceRollout
from shared.apimachinery.manifest import GroupResource, ObjectKey
from shared.errors import InvalidObject
from shared.store.port import Change, ChangeType, ObjectStore, Scope, Stored

_SECTIONS = dict.fromkeys(ROLLOUTS, "status") | dict.fromkeys(REVISIONS, "spec")


@dataclass(frozen=True, slots=True)
class Kept:
    """A revision with the object that holds it."""

    stored: Stored
    recorded: Recorded

    @property
    def number(self) -> int:
        return self.recorded.spec.revision


class RolloutRecords:
    """Follows the mirror; what this process wrote it knows before the mirror does."""

    def __init__(self, store: ObjectStore, wake: Callable[[ObjectKey], None]) -> None:
        """*wake* is called with the template of what others wrote: a predecessor that is late."""
        self._store = store
        self._wake = wake
        self._rollouts: dict[ObjectKey, ObjectKey] = {}
        self._revisions: dict[ObjectKey, set[ObjectKey]] = {}
        self._written: dict[ObjectKey, Stored] = {}
        self._parsed: dict[ObjectKey, tuple[int, ResourceRollout | Recorded]] = {}
        self._stop = store.mirror.on_change(self._on_change)
        for resource in _SECTIONS:
            for stored in store.mirror.items(Scope.of(GroupResource(GROUP, resource))):
                self._note(stored)

    def close(self) -> None:
        self._stop()

    def rollout(self, template: ObjectKey) -> tuple[Stored, ResourceRollout] | None:
        """The rollout of *template*; None where there is none that can be read."""
        key = self._rollouts.get(template)
        stored = self._latest(key) if key is not None else None
        if stored is None:
            return None
        known = self._parsed.get(stored.key)
        if known is None or known[0] != stored.revision:
            known = (stored.revision, read(stored.manifest, ResourceRollout))
            self._parsed[stored.key] = known
        found = known[1]
        assert isinstance(found, ResourceRollout), "a key is of one kind"
        return stored, found

    def revisions(self, template: ObjectKey) -> Mapping[int, Kept]:
        """The revisions of *template* by number; one that cannot be read is passed over."""
        found = {}
        for key in self._revisions.get(template) or ():
            stored = self._latest(key)
            recorded = self._recorded(stored) if stored is not None else None
            if stored is not None and recorded is not None:
                found[recorded.spec.revision] = Kept(stored, recorded)
        return found

    def has_any(self, template: ObjectKey) -> bool:
        return template in self._rollouts or template in self._revisions

    def wrote(self, stored: Stored) -> None:
        """Remember a write of our own that was acknowledged."""
        self._written[stored.key] = stored
        self._note(stored)

    def removed(self, stored: Stored) -> None:
        """Remember that this process deleted *stored*."""
        self._forget(stored)

    def _latest(self, key: ObjectKey) -> Stored | None:
        mirrored, written = self._store.mirror.get(key), self._written.get(key)
        if written is None or (mirrored is not None and mirrored.revision >= written.revision):
            return mirrored
        return written

    def _recorded(self, stored: Stored) -> Recorded | None:
        known = self._parsed.get(stored.key)
        if known is None or known[0] != stored.revision:
            try:
                revision = read(stored.manifest, ResourceRevision)
            except InvalidObject:
                return None
            known = (stored.revision, Recorded.of(revision, len(stored.encoded)))
            self._parsed[stored.key] = known
        found = known[1]
        assert isinstance(found, Recorded), "a key is of one kind"
        return found

    def _on_change(self, change: Change) -> None:
        key = change.stored.key
        if key.group != GROUP or key.resource not in _SECTIONS:
            return
        written = self._written.get(key)
        ours = written is not None and change.stored.revision <= written.revision
        if written is not None and change.stored.revision >= written.revision:
            del self._written[key]
        template = template_of(change.stored)
        if template is not None and not ours:
            self._wake(template)
        if change.type is ChangeType.DELETED:
            self._forget(change.stored)
        else:
            self._note(change.stored)

    def _note(self, stored: Stored) -> None:
        template = template_of(stored)
        if template is None:
            return
        if stored.key.resource in ROLLOUTS:
            self._rollouts[template] = stored.key
        else:
            self._revisions.setdefault(template, set()).add(stored.key)

    def _forget(self, stored: Stored) -> None:
        self._parsed.pop(stored.key, None)
        self._written.pop(stored.key, None)
        template = template_of(stored)
        if template is None:
            return
        if self._rollouts.get(template) == stored.key:
            del self._rollouts[template]
        keys = self._revisions.get(template)
        if keys is not None:
            keys.discard(stored.key)
            if not keys:
                del self._revisions[template]


def template_of(stored: Stored) -> ObjectKey | None:
    """The key of the template that a stored rollout or revision is about; None: it says none."""
    section = stored.manifest.get(_SECTIONS.get(stored.key.resource, ""))
    found = section.get("resource") if isinstance(section, dict) else None
    try:
        return read(found, ObjectReference).key if isinstance(found, dict) else None
    except InvalidObject:
        return None
