"""The catalogue of all services of the fleet as a process knows it now, and who wants to know.

It is known at the hub and in regions alike: it is folded from what members report, so a process
that lost the hub goes on with what it heard last.
"""

import asyncio
from collections.abc import Callable, Iterator

from services.traffic.core.catalogue import ImportedService, ServiceName

Listener = Callable[[ServiceName], None]


class LiveCatalogue:
    """Services by name. `version` rises with every change; `synced` is set once all is known.

    Who answers from it waits for `synced`: before that, not being there means nothing.
    """

    def __init__(self) -> None:
        self._services: dict[ServiceName, ImportedService] = {}
        self._listeners: list[Listener] = []
        self.version = 0
        self.synced = asyncio.Event()

    def get(self, name: ServiceName) -> ImportedService | None:
        return self._services.get(name)

    def __len__(self) -> int:
        return len(self._services)

    def __iter__(self) -> Iterator[ImportedService]:
        """All services, in no order; change nothing while you walk."""
        return iter(self._services.values())

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* with the name of each service that changed or went, from now on.

        Returns the way to stop. A listener does little and never waits: it wakes somebody.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def put(self, service: ImportedService) -> None:
        """Take in what a service is now; that it is the same as before tells nobody."""
        if self._services.get(service.service) == service:
            return
        self._services[service.service] = service
        self._tell(service.service)

    def remove(self, name: ServiceName) -> None:
        """Nobody exports it any more."""
        if self._services.pop(name, None) is not None:
            self._tell(name)

    def _tell(self, name: ServiceName) -> None:
        self.version += 1
        for listener in tuple(self._listeners):
            listener(name)
