"""What the hub exports by itself, and which services are imported at all: it concerns members."""

from collections.abc import Callable

from shared.api.multicluster import SERVICE_EXPORTS, SERVICE_IMPORTS
from shared.apimachinery.manifest import ObjectKey
from shared.store.port import Change, ChangeType, Mirror, Scope

SCOPES = (Scope.of(SERVICE_EXPORTS), Scope.of(SERVICE_IMPORTS))
"""To be mirrored by every process with workers."""

_EXPORTS, _IMPORTS = SCOPES


class Interest:
    """Shared by the workers of a process; each is told of what changes."""

    def __init__(self, mirror: Mirror) -> None:
        self.exports: set[tuple[str, str]] = set()
        self.imported: set[str] = set()
        """Namespaces of which a service is, or was, imported.

        An import that somebody deletes at the hub comes back: were its namespace forgotten until
        then, every member would give up what it imports, and the addresses with it.
        """
        self._listeners: list[Callable[[tuple[str, str] | None], None]] = []
        for scope in SCOPES:
            for stored in list(mirror.items(scope)):
                self._note(stored.key, gone=False, news=True)
        self._stop = mirror.on_change(self._on_change)

    def close(self) -> None:
        self._stop()

    def listen(self, listener: Callable[[tuple[str, str] | None], None]) -> Callable[[], None]:
        """Call *listener* with each service that the hub begins or ceases to export.

        None: the namespaces of imported services are others now. Returns the way to stop.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _on_change(self, change: Change) -> None:
        key = change.stored.key
        if any(scope.covers(key) for scope in SCOPES):
            news = change.type is not ChangeType.MODIFIED
            self._note(key, gone=change.type is ChangeType.DELETED, news=news)

    def _note(self, key: ObjectKey, *, gone: bool, news: bool) -> None:
        if not news:
            return
        if _EXPORTS.covers(key):
            place = (key.namespace, key.name)
            (self.exports.discard if gone else self.exports.add)(place)
            self._tell(place)
            return
        if not gone and key.namespace not in self.imported:
            self.imported.add(key.namespace)
            self._tell(None)

    def _tell(self, place: tuple[str, str] | None) -> None:
        for listener in tuple(self._listeners):
            listener(place)
