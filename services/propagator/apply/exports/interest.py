"""What the hub exports by itself, and which services are imported at all: it concerns members."""

from collections.abc import Callable, Collection

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
        self._imports: dict[str, set[str]] = {}
        self._listeners: list[Callable[[tuple[str, str] | None], None]] = []
        for scope in SCOPES:
            for stored in list(mirror.items(scope)):
                self._note(stored.key, gone=False, news=True)
        self._stop = mirror.on_change(self._on_change)

    @property
    def imported(self) -> Collection[str]:
        """Namespaces of which a service is imported now."""
        return self._imports.keys()

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
        names = self._imports.setdefault(key.namespace, set())
        before = bool(names)
        (names.discard if gone else names.add)(key.name)
        if not names:
            del self._imports[key.namespace]
        if before != bool(names):
            self._tell(None)

    def _tell(self, place: tuple[str, str] | None) -> None:
        for listener in tuple(self._listeners):
            listener(place)
