"""What clusters hold of a template beside its present words: older revisions under a rollout.

What such a revision refers to is needed there still. The propagator writes rollouts and revisions;
a template without a rollout has none.
"""

from shared.api.meta import GROUP, read
from shared.api.revision import REVISIONS, ResourceRevision
from shared.api.rollout import ROLLOUTS, ResourceRollout
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.errors import InvalidObject
from shared.store.port import Change, ChangeType

RECORDS = (*ROLLOUTS, *REVISIONS)

Held = tuple[Manifest, ...]


class HeldRevisions:
    """Templates of the revisions in use, by the key of the template they are about."""

    def __init__(self) -> None:
        self._in_use: dict[ObjectKey, frozenset[int]] = {}
        self._revisions: dict[ObjectKey, dict[int, Manifest]] = {}
        # The same tuple for as long as nothing changes.
        self._held: dict[ObjectKey, Held] = {}

    def of(self, template: ObjectKey) -> Held:
        """The words that clusters are to hold, as far as they are recorded."""
        return self._held.get(template, ())

    def note(self, change: Change) -> ObjectKey | None:
        """Take note of a rollout or a revision; returns the template whose held words changed."""
        assert change.stored.key.group == GROUP, "the caller knows what it is"
        try:
            template = self._take(change)
        except InvalidObject:
            # What was known of it counts on: an error is not nothing.
            return None
        if template is None:
            return None
        revisions = self._revisions.get(template, {})
        numbers = sorted(self._in_use.get(template, frozenset()) & revisions.keys())
        held = tuple(revisions[number] for number in numbers)
        if held == self._held.get(template, ()):
            return None
        if held:
            self._held[template] = held
        else:
            del self._held[template]
        return template

    def _take(self, change: Change) -> ObjectKey | None:
        gone, manifest = change.type is ChangeType.DELETED, change.stored.manifest
        if change.stored.key.resource in REVISIONS:
            spec = read(manifest, ResourceRevision).spec
            self._take_revision(spec.resource.key, spec.revision, None if gone else spec.template)
            return spec.resource.key
        status = read(manifest, ResourceRollout).status
        if status.resource is None:
            return None
        template = status.resource.key
        if gone:
            self._in_use.pop(template, None)
        else:
            numbers = {status.target_revision, status.complete_revision}
            self._in_use[template] = frozenset(numbers | {one.revision for one in status.clusters})
        return template

    def _take_revision(self, template: ObjectKey, number: int, words: Manifest | None) -> None:
        revisions = self._revisions.setdefault(template, {})
        if words is not None:
            revisions[number] = words
            return
        revisions.pop(number, None)
        if not revisions:
            del self._revisions[template]
