"""Which binding speaks of a template: an index over the store's mirror, by the template's key."""

from collections.abc import Iterator

from shared.api.binding import ResourceBinding, binding_key
from shared.api.meta import GROUP, read
from shared.apimachinery.manifest import GroupResource, ObjectKey
from shared.store.port import Change, ChangeType, ObjectStore, Scope, Stored

RESOURCES = ("resourcebindings", "clusterresourcebindings")
SCOPES = tuple(Scope.of(GroupResource(GROUP, resource)) for resource in RESOURCES)


class BindingIndex:
    """Kept current by `observe`, which must see every change before it is asked."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._binding_of: dict[ObjectKey, ObjectKey] = {}
        self._parsed: dict[ObjectKey, tuple[int, ResourceBinding]] = {}
        self._stop = store.mirror.on_change(self._on_change)
        for scope in SCOPES:
            for stored in store.mirror.items(scope):
                self.observe(stored)

    def close(self) -> None:
        self._stop()

    def observe(self, stored: Stored) -> ObjectKey | None:
        """Take note of a binding; returns the key of its template, None for a malformed one."""
        template = template_key(stored)
        if template is not None:
            self._binding_of[template] = stored.key
        return template

    def of(self, template: ObjectKey) -> tuple[Stored, ResourceBinding] | None:
        """The binding of *template* in the mirror; None where there is none."""
        key = self._binding_of.get(template)
        stored = self._store.mirror.get(key) if key is not None else None
        if stored is None or template_key(stored) != template:
            return None
        return stored, self._read(stored)

    def has(self, template: ObjectKey) -> bool:
        """Whether a binding of *template* is in the mirror, as far as was observed."""
        key = self._binding_of.get(template)
        return key is not None and self._store.mirror.get(key) is not None

    async def confirm_unbound(self, template: ObjectKey, kind: str) -> bool:
        """Whether the store itself, not only the mirror, has no binding of *template*.

        A binding's name follows from its template's by one of two rules, so both are asked for.
        """
        candidates = {binding_key(template, kind, built_in=built_in) for built_in in (True, False)}
        known = self._binding_of.get(template)
        if known is not None:
            candidates.add(known)
        for key in candidates:
            stored = await self._store.get(key)
            if stored is not None and template_key(stored) == template:
                return False
        return True

    def templates(self) -> Iterator[ObjectKey]:
        """Keys of the templates that are bound now."""
        for template, key in list(self._binding_of.items()):
            if self._store.mirror.get(key) is not None:
                yield template

    def _read(self, stored: Stored) -> ResourceBinding:
        known = self._parsed.get(stored.key)
        if known is None or known[0] != stored.revision:
            known = (stored.revision, read(stored.manifest, ResourceBinding))
            self._parsed[stored.key] = known
        return known[1]

    def _on_change(self, change: Change) -> None:
        key = change.stored.key
        if key.group != GROUP or key.resource not in RESOURCES:
            return
        if change.type is ChangeType.DELETED:
            # `_binding_of` stays: it tells where to ask whether the binding is really gone.
            self._parsed.pop(key, None)
        elif not change.only_status:
            self.observe(change.stored)


def template_key(stored: Stored) -> ObjectKey | None:
    """The key of the template a stored binding is about."""
    spec = stored.manifest.get("spec")
    resource = spec.get("resource") if isinstance(spec, dict) else None
    if not isinstance(resource, dict):
        return None
    group = str(resource.get("apiVersion") or "").rpartition("/")[0]
    return ObjectKey(
        group,
        str(resource.get("resource") or ""),
        str(resource.get("namespace") or ""),
        str(resource.get("name") or ""),
    )
