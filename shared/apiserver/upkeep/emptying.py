"""Namespaces and definitions that are being deleted: first what they hold goes, then they.

Both are held by a finalizer of the server's own until they are empty.
"""

from collections.abc import Callable, Sequence

from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey
from shared.apiserver.admission import Write
from shared.apiserver.definitions.status import NAMES_ACCEPTED, is_true
from shared.apiserver.life.marks import (
    DEFINITION_FINALIZER,
    DEFINITIONS,
    NAMESPACE_FINALIZER,
    NAMESPACES,
    PERMANENT_NAMESPACES,
)
from shared.apiserver.requests.target import DeleteOptions, WriteOptions
from shared.apiserver.serving import Call, Serving
from shared.apiserver.status_errors import ApiFault
from shared.apiserver.upkeep.remaining import with_conditions
from shared.apiserver.upkeep.worklist import AGAIN_SECONDS, Worklist
from shared.apiserver.verbs.create import create
from shared.apiserver.verbs.delete import delete
from shared.apiserver.verbs.transact import transact
from shared.errors import RetryableError
from shared.store.port import Change, ChangeType, Scope, Stored

OURSELVES = WriteOptions(field_manager="hanse-apiserver")
_PODS = GroupResource("", "pods")
_BACKGROUND = DeleteOptions(propagation="Background")


class Emptier:
    """Empties what is being deleted; `run` it beside the server."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._worklist: Worklist[ObjectKey] = Worklist("emptying", self._reconcile)
        self._terminating: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        mirror = self._serving.store.mirror
        stop = mirror.on_change(self._on_change)
        try:
            for resource in (NAMESPACES, DEFINITIONS):
                for stored in tuple(mirror.items(Scope.of(resource))):
                    self._note(stored)
            await self._worklist.run()
        finally:
            stop()

    def _on_change(self, change: Change) -> None:
        key = change.stored.key
        if key.group_resource in (NAMESPACES, DEFINITIONS):
            if change.type is ChangeType.DELETED:
                self._terminating.discard(key.name)
                if key.group_resource == DEFINITIONS:
                    self._note_freed(change.stored)
            else:
                self._note(change.stored)
        elif key.namespace in self._terminating:
            # It lost something, or gained something at the last moment.
            self._worklist.add(ObjectKey("", "namespaces", "", key.namespace))

    def _note(self, stored: Stored) -> None:
        if stored.manifest["metadata"].get("deletionTimestamp"):
            if stored.key.group_resource == NAMESPACES:
                self._terminating.add(stored.key.name)
            self._worklist.add(stored.key)

    def _note_freed(self, gone: Stored) -> None:
        """Others in the group may now have the names they asked for in vain."""
        for stored in self._serving.store.mirror.items(Scope.of(DEFINITIONS)):
            if _group_of(stored) == _group_of(gone) and not _has_names(stored):
                self._worklist.add(stored.key)

    async def _accept_names(self, stored: Stored) -> None:
        """Let admission conclude anew what follows from the definition."""
        kind = self._serving.kinds.preferred(DEFINITIONS)
        assert kind is not None, "definitions are built in"
        admission = self._serving.admission

        def concluded(now: Stored) -> Manifest:
            new = dict(now.manifest)
            admission.admit(Write(kind, now.manifest, new))
            return new

        call = Call(kind, name=stored.key.name)
        await transact(self._serving, call, stored.key, concluded)

    async def _reconcile(self, key: ObjectKey) -> bool:
        stored = await self._serving.store.get(key)
        if stored is None:
            return True
        if not stored.manifest["metadata"].get("deletionTimestamp"):
            if key.group_resource == DEFINITIONS and not _has_names(stored):
                await self._accept_names(stored)
            return True
        scope = _contents(stored)
        for item in sorted((await self._serving.store.list(scope)).items, key=_turn):
            await self._remove(item)
        # Some may be held by finalizers; they say when they go.
        left = (await self._serving.store.list(scope)).items
        if left:
            await self._tell(stored, left)
            return False
        await self._let_go(stored)
        return True

    async def _tell(self, holder: Stored, left: Sequence[Stored]) -> None:
        """Write into the status of a namespace what is left in it."""
        if holder.key.group_resource != NAMESPACES:
            return
        contents = [(item.key, item.manifest) for item in left]
        now = self._serving.now()
        await self._write(
            holder, "status", lambda manifest: with_conditions(manifest, contents, now=now)
        )

    async def _remove(self, item: Stored) -> None:
        kind = self._serving.kinds.preferred(item.key.group_resource)
        if kind is None:
            # Its definition is gone already: nobody is left to hold it.
            await self._serving.store.delete(item.key, item.manifest, expected=item.revision)
            return
        if item.manifest["metadata"].get("deletionTimestamp"):
            return
        try:
            await delete(self._serving, Call(kind, item.key.namespace, item.key.name), _BACKGROUND)
        except ApiFault as fault:
            if fault.code != 404:
                raise

    async def _let_go(self, stored: Stored) -> None:
        await self._write(stored, "finalize", _RELEASES[stored.key.group_resource])

    async def _write(
        self, stored: Stored, subresource: str, change: Callable[[Manifest], Manifest]
    ) -> None:
        kind = self._serving.kinds.preferred(stored.key.group_resource)
        assert kind is not None, "namespaces and definitions are built in"
        call = Call(kind, name=stored.key.name, subresource=subresource)
        try:
            await transact(self._serving, call, stored.key, lambda now: change(now.manifest))
        except ApiFault as fault:
            if fault.code != 404:
                raise


def _group_of(definition: Stored) -> str:
    return str((definition.manifest.get("spec") or {}).get("group"))


def _has_names(definition: Stored) -> bool:
    return is_true(definition.manifest, NAMES_ACCEPTED)


def _turn(item: Stored) -> bool:
    """Pods are told first, while what guards them is still there (KEP-5080)."""
    return item.key.group_resource != _PODS


def _contents(stored: Stored) -> Scope:
    if stored.key.group_resource == NAMESPACES:
        return Scope(namespace=stored.key.name)
    spec = stored.manifest.get("spec") or {}
    return Scope(str(spec.get("group")), str((spec.get("names") or {}).get("plural")))


def _release_namespace(manifest: Manifest) -> Manifest:
    spec = manifest.get("spec") or {}
    left = [one for one in spec.get("finalizers") or [] if one != NAMESPACE_FINALIZER]
    return {**manifest, "spec": {**spec, "finalizers": left}}


def _release_definition(manifest: Manifest) -> Manifest:
    return without_finalizer(manifest, DEFINITION_FINALIZER)


def without_finalizer(manifest: Manifest, finalizer: str) -> Manifest:
    """Return *manifest* held by one finalizer less."""
    metadata = dict(manifest["metadata"])
    left = [one for one in metadata.pop("finalizers", None) or [] if one != finalizer]
    if left:
        metadata["finalizers"] = left
    return {**manifest, "metadata": metadata}


_RELEASES: dict[object, Callable[[Manifest], Manifest]] = {
    NAMESPACES: _release_namespace,
    DEFINITIONS: _release_definition,
}


async def ensure_namespaces(serving: Serving) -> None:
    """Create the namespaces that exist in every cluster, however long the store takes."""
    for name in PERMANENT_NAMESPACES:
        while not await _ensure_namespace(serving, name):
            await serving.clock.sleep(AGAIN_SECONDS)


async def _ensure_namespace(serving: Serving, name: str) -> bool:
    """Whether the namespace is there for sure."""
    kind = serving.kinds.preferred(NAMESPACES)
    assert kind is not None, "namespaces are built in"
    manifest: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    try:
        await create(serving, Call(kind, options=OURSELVES), manifest)
    except RetryableError:
        return False
    except ApiFault as fault:
        if fault.reason != "AlreadyExists":
            raise
    return True
