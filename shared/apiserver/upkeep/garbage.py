"""Garbage collection by `ownerReferences`: what nobody owns any more goes.

An owner counts as gone only after a read of the store that found no object of that uid; a kind that
is not served says nothing about its objects. Deletion with Orphan or Foreground waits here by a
finalizer on the owner. Source: Kubernetes' garbage collector (`pkg/controller/garbagecollector`).
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, uid_of
from shared.apiserver.life.marks import FOREGROUND, ORPHAN
from shared.apiserver.requests.target import DeleteOptions
from shared.apiserver.serving import Call, Serving
from shared.apiserver.status_errors import ApiFault
from shared.apiserver.upkeep.emptying import OURSELVES, without_finalizer
from shared.apiserver.upkeep.expiry import EVENTS, warning
from shared.apiserver.upkeep.worklist import Worklist
from shared.apiserver.verbs.create import create
from shared.apiserver.verbs.delete import delete
from shared.apiserver.verbs.transact import transact
from shared.store.port import Change, ChangeType, Scope, Stored

_COMPONENT = "garbage-collector-controller"


class GarbageCollector:
    """Follows owners and dependents; `run` it beside the server."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._worklist: Worklist[ObjectKey] = Worklist("garbage", self._reconcile)
        self._dependents: dict[str, set[ObjectKey]] = {}

    async def run(self) -> None:
        """Work until cancelled."""
        mirror = self._serving.store.mirror
        stop = mirror.on_change(self._on_change)
        try:
            for stored in tuple(mirror.items()):
                self._note(stored, None)
            await self._worklist.run()
        finally:
            stop()

    def _on_change(self, change: Change) -> None:
        if change.type is not ChangeType.DELETED:
            self._note(change.stored, change.previous)
            return
        stored = change.stored
        head = stored.head()
        owners = _identified(head.owner_references)
        self._forget(stored.key, owners)
        for key in self._dependents.get(head.uid or "", ()):
            self._worklist.add(key)
        for owner in owners:
            # An owner that waits in the foreground may be free to go now.
            waiting = self._key_of(owner, stored.key.namespace)
            if waiting is not None and owner.get("blockOwnerDeletion"):
                self._worklist.add(waiting)

    def _note(self, stored: Stored, previous: Stored | None) -> None:
        # The head: whoever reads the whole of every object keeps it in memory.
        head = stored.head()
        owners = _identified(head.owner_references)
        before = _identified(previous.head().owner_references) if previous else []
        if owners != before:
            self._forget(stored.key, before)
            for owner in owners:
                self._dependents.setdefault(owner["uid"], set()).add(stored.key)
            if owners:
                self._worklist.add(stored.key)
        if head.deletion_timestamp and _waits(stored.manifest["metadata"]):
            self._worklist.add(stored.key)

    def _forget(self, key: ObjectKey, owners: Iterable[Mapping[str, Any]]) -> None:
        for owner in owners:
            found = self._dependents.get(owner.get("uid", ""))
            if found is not None:
                found.discard(key)
                if not found:
                    del self._dependents[owner["uid"]]

    async def _reconcile(self, key: ObjectKey) -> bool:
        if self._is_kept(key):
            return True
        stored = await self._serving.store.get(key)
        if stored is None:
            return True
        metadata = stored.manifest["metadata"]
        if metadata.get("deletionTimestamp"):
            return await self._serve_finalizers(stored) if _waits(metadata) else True
        await self._judge(stored)
        return True

    def _is_kept(self, key: ObjectKey) -> bool:
        """Whether the mirror has the object and every owner of it, so that there is nothing to do.

        It may be a moment old; what goes after that moment wakes its dependents once more.
        """
        mirror = self._serving.store.mirror
        stored = mirror.get(key)
        if stored is None:
            return False
        head = stored.head()
        return not head.deletion_timestamp and all(
            isinstance(owner, dict)
            and (owner_key := self._key_of(owner, key.namespace)) is not None
            and (found := mirror.get(owner_key)) is not None
            and found.head().uid == owner.get("uid")
            for owner in head.owner_references or ()
        )

    async def _judge(self, stored: Stored) -> None:
        """Delete *stored* if all its owners are gone; else drop the references to those gone."""
        owners = _references(stored.manifest)
        absent = [owner for owner in owners if await self._is_gone(owner, stored.key)]
        gone = [owner["uid"] for owner in absent]
        if not gone:
            return
        for owner in absent:
            if self._is_elsewhere(owner, stored.key):
                await self._warn(stored, owner)
        if len(gone) == len(owners):
            await self._delete(stored)
        else:
            await self._drop_references(stored.key, gone)

    async def _serve_finalizers(self, owner: Stored) -> bool:
        """Let an owner go in the way its deletion asked for; answers whether it could."""
        finalizers = owner.manifest["metadata"].get("finalizers") or []
        uid = uid_of(owner.manifest)
        dependents = tuple(self._dependents.get(uid, ()))
        if ORPHAN in finalizers:
            for key in dependents:
                await self._drop_references(key, [uid])
            await self._release(owner.key, ORPHAN)
            return True
        blocking = False
        for key in dependents:
            dependent = await self._serving.store.get(key)
            if dependent is None:
                continue
            going = dependent.manifest["metadata"].get("deletionTimestamp")
            if not going and await self._has_another_owner(dependent, uid):
                await self._drop_references(key, [uid])
                continue
            blocking = blocking or any(
                one["uid"] == uid and one.get("blockOwnerDeletion") is True
                for one in _references(dependent.manifest)
            )
            if not going:
                if self._has_waiting_dependent(dependent):
                    # A circle, in which each would wait for the other for ever.
                    await self._unblock(key)
                await self._delete(dependent, propagation="Foreground")
                blocking = blocking and await self._serving.store.get(key) is not None
        if blocking:
            return False
        await self._release(owner.key, FOREGROUND)
        return True

    async def _has_another_owner(self, dependent: Stored, uid: str) -> bool:
        """Whether an owner is there beside that of *uid* and does not wait for it to go, too."""
        for owner in _references(dependent.manifest):
            key = self._key_of(owner, dependent.key.namespace)
            if owner["uid"] == uid:
                continue
            if key is None:
                return True  # Of a kind that is not served: nobody knows.
            found = await self._serving.store.get(key)
            if found is None or uid_of(found.manifest) != owner["uid"]:
                continue
            if FOREGROUND not in (found.manifest["metadata"].get("finalizers") or ()):
                return True
        return False

    def _has_waiting_dependent(self, owner: Stored) -> bool:
        mirror = self._serving.store.mirror
        found = (mirror.get(key) for key in self._dependents.get(uid_of(owner.manifest), ()))
        return any(
            one is not None
            and one.head().deletion_timestamp is not None
            and FOREGROUND in (one.manifest["metadata"].get("finalizers") or ())
            for one in found
        )

    async def _is_gone(self, owner: Mapping[str, Any], dependent: ObjectKey) -> bool:
        key = self._key_of(owner, dependent.namespace)
        if key is None:
            return False
        found = await self._serving.store.get(key)
        return found is None or uid_of(found.manifest) != owner["uid"]

    def _is_elsewhere(self, owner: Mapping[str, Any], dependent: ObjectKey) -> bool:
        """Whether the owner is in another namespace, where it is none."""
        key = self._key_of(owner, dependent.namespace)
        if key is None or not key.namespace:
            return False
        scope = Scope(key.group, key.resource)
        found = self._serving.store.mirror.items(scope)
        return any(uid_of(one.manifest) == owner["uid"] for one in found)

    async def _warn(self, dependent: Stored, owner: Mapping[str, Any]) -> None:
        kind = self._serving.kinds.preferred(EVENTS)
        assert kind is not None, "Events are built in"
        place = dependent.key.namespace
        named = f"{owner.get('apiVersion')}/{owner.get('kind')}, namespace: {place}"
        message = (
            f"ownerRef [{named}, name: {owner.get('name')}, uid: {owner['uid']}] does not exist in "
            f'namespace "{place}"'
        )
        event = warning(
            dependent.manifest,
            reason="OwnerRefInvalidNamespace",
            message=message,
            component=_COMPONENT,
            now=self._serving.now(),
        )
        await create(self._serving, Call(kind, place, options=OURSELVES), event)

    def _key_of(self, owner: Mapping[str, Any], namespace: str) -> ObjectKey | None:
        """None for a kind that is not served, or an owner that cannot be one."""
        gvk = GroupVersionKind.parse(str(owner.get("apiVersion")), str(owner.get("kind")))
        kind = self._serving.kinds.by_kind(gvk)
        if kind is None or (kind.namespaced and not namespace):
            return None
        place = namespace if kind.namespaced else ""
        return ObjectKey(gvk.group, kind.resource, place, str(owner.get("name")))

    def _call(self, key: ObjectKey) -> Call | None:
        kind = self._serving.kinds.preferred(key.group_resource)
        return None if kind is None else Call(kind, key.namespace, key.name)

    async def _delete(self, stored: Stored, *, propagation: str = "Background") -> None:
        call = self._call(stored.key)
        if call is None:
            return
        options = DeleteOptions(propagation=propagation, uid=uid_of(stored.manifest))
        try:
            await _unless_gone(delete(self._serving, call, options))
        except ApiFault as fault:
            # Protected: it outlives its owners.
            if fault.code != 403:
                raise

    async def _drop_references(self, key: ObjectKey, uids: Iterable[str]) -> None:
        dropped = set(uids)
        await self._change_references(
            key, lambda references: [one for one in references if one["uid"] not in dropped]
        )

    async def _unblock(self, key: ObjectKey) -> None:
        """Let the owners of *key* go before it does."""
        await self._change_references(
            key, lambda references: [{**one, "blockOwnerDeletion": False} for one in references]
        )

    async def _change_references(
        self, key: ObjectKey, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]
    ) -> None:
        def compute(now: Stored) -> Manifest:
            metadata = dict(now.manifest["metadata"])
            left = change(_references(now.manifest))
            metadata.pop("ownerReferences", None)
            if left:
                metadata["ownerReferences"] = left
            return {**now.manifest, "metadata": metadata}

        call = self._call(key)
        if call is not None:
            await _unless_gone(transact(self._serving, call, key, compute))

    async def _release(self, key: ObjectKey, finalizer: str) -> None:
        call = self._call(key)
        if call is not None:
            await _unless_gone(
                transact(
                    self._serving,
                    call,
                    key,
                    lambda now: without_finalizer(now.manifest, finalizer),
                )
            )


async def _unless_gone(work: Any) -> None:
    """Await *work*; that its object is gone, or another by now, is fine."""
    try:
        await work
    except ApiFault as fault:
        if fault.code not in (404, 409):
            raise


def _references(manifest: Manifest) -> list[dict[str, Any]]:
    return _identified(manifest["metadata"].get("ownerReferences"))


def _identified(references: Any) -> list[dict[str, Any]]:
    return [one for one in references or () if isinstance(one, dict) and one.get("uid")]


def _waits(metadata: Mapping[str, Any]) -> bool:
    finalizers = metadata.get("finalizers") or ()
    return ORPHAN in finalizers or FOREGROUND in finalizers
