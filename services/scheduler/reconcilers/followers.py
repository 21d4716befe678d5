"""Who needs an object, beyond doubt: what is merely not seen takes nothing away."""

from collections.abc import Sequence

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.reading import Bound
from services.scheduler.core.dependencies.dependents import Use
from shared.api.binding import BindingSnapshot, ResourceBinding
from shared.api.meta import GROUP, read_json
from shared.api.policy import PropagationPolicy, stays_away
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.errors import StaleRevision
from shared.store.port import ObjectStore


class Followers:
    """Counts the users of one object at a time."""

    def __init__(self, store: ObjectStore, federation: Federation) -> None:
        self._store = store
        self._federation = federation

    async def users(
        self, template: Manifest, policy: PropagationPolicy | None, bound: Bound | None
    ) -> tuple[Use, ...]:
        """Return those with a say, sorted. Raises `StaleRevision` where the view is behind."""
        if stays_away(template):
            return ()
        found = self._federation.following.uses(template, policy)
        if bound is None or not bound.binding.spec.required_by:
            return found
        counted = {(use.namespace, use.name) for use in found}
        kept = [
            use
            for one in bound.binding.spec.required_by
            if (one.namespace, one.name) not in counted
            and (use := await self._lost(one)) is not None
        ]
        return tuple(sorted((*found, *kept), key=lambda use: (use.namespace, use.name)))

    async def _lost(self, user: BindingSnapshot) -> Use | None:
        """Look after a user that the view no longer shows as one; None where it is none."""
        resource = "resourcebindings" if user.namespace else "clusterresourcebindings"
        key = ObjectKey(GROUP, resource, user.namespace, user.name)
        stored = await self._store.get(key)
        if stored is None:
            return None
        seen = self._store.mirror.get(key)
        if seen is None or seen.revision < stored.revision:
            raise StaleRevision(f"{key} exists, but has not been seen yet")
        about = read_json(stored.encoded, ResourceBinding).spec.resource.key
        manifest = self._store.mirror.get(about)
        if manifest is None:
            if await self._store.get(about) is not None:
                raise StaleRevision(f"{about} exists, but has not been seen yet")
            return None
        if not self._federation.following.is_unreadable(manifest.glance()):
            return None
        # It cannot be told what it needs now: what it needed stays.
        return Use(
            namespace=user.namespace,
            name=user.name,
            clusters=user.clusters,
            rooted=True,
            takes_along=True,
            conflict_resolution="Abort",
            preserves=False,
            deletes_adopted=False,
        )


def names_of(uses: Sequence[Use]) -> tuple[str, ...]:
    return tuple(f"{use.namespace}/{use.name}" if use.namespace else use.name for use in uses)
