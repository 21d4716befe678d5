"""One object read, changed and written back by compare-and-set, as often as it takes.

The first attempt reads the mirror, which costs nothing and may be a moment old. Whatever is
concluded from an old state is not believed: a refusal or "nothing to do" is worked out again from a
fresh read, and a write from an old state loses by its revision.
"""

from collections.abc import Callable
from dataclasses import dataclass

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.apiserver.aside import aside
from shared.apiserver.life.changes import is_unchanged
from shared.apiserver.life.deletion import must_go
from shared.apiserver.serving import Call, Serving
from shared.apiserver.status_errors import ApiFault, conflict, not_found
from shared.errors import InvalidObject, StaleRevision
from shared.store.port import ObjectStore, Stored

ATTEMPTS_MAX = 10

Compute = Callable[[Stored], Manifest]


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """The object after the transaction; `gone` when its last finalizer left with this write."""

    stored: Stored
    gone: bool = False


async def transact(serving: Serving, call: Call, key: ObjectKey, compute: Compute) -> Written:
    """Write what *compute* makes of the object at *key*.

    *compute* must be pure; its result equal to the stored manifest writes nothing. Raises what
    *compute* raises, 404 for an absent object, 409 when others keep winning.
    """
    store = serving.store
    stored = store.mirror.get(key)
    fresh = False
    for _ in range(ATTEMPTS_MAX):
        if stored is None:
            stored, fresh = await store.get(key), True
        if stored is None:
            raise not_found(call.resource, key.name)
        try:
            # A small patch of a large object is no small matter either.
            new = await aside(max(call.size, len(stored.encoded)), compute, stored)
        except (ApiFault, InvalidObject):
            stored, confirmed = await _confirm(store, stored, fresh=fresh)
            if confirmed:
                raise
            fresh = True
            continue
        if call.options.dry_run or is_unchanged(stored.manifest, new):
            seen = stored
            stored, confirmed = await _confirm(store, stored, fresh=fresh)
            if confirmed and call.options.dry_run:
                return Written(Stored(key, seen.revision, new))
            if confirmed:
                return await _remove_if_due(store, seen)
            fresh = True
            continue
        try:
            return await _write(store, stored, new)
        except StaleRevision:
            stored = None
    raise conflict(call.resource, key.name)


async def _confirm(store: ObjectStore, seen: Stored, *, fresh: bool) -> tuple[Stored | None, bool]:
    """Return the present object, and whether it is still the one that was *seen*."""
    if fresh:
        return seen, True
    latest = await store.get(seen.key)
    return latest, latest is not None and latest.revision == seen.revision


async def _write(store: ObjectStore, old: Stored, new: Manifest) -> Written:
    # An object whose last finalizer goes with this write goes itself.
    if must_go(new):
        return Written(await store.delete(old.key, new, expected=old.revision), gone=True)
    return Written(await store.update(old.key, new, expected=old.revision))


async def _remove_if_due(store: ObjectStore, stored: Stored) -> Written:
    if not must_go(stored.manifest):
        return Written(stored)
    return Written(
        await store.delete(stored.key, stored.manifest, expected=stored.revision), gone=True
    )
