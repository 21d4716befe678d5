"""A whole API server put together over a store: what gateway and simulator have in common."""

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from shared.apimachinery.manifest import GroupResource
from shared.apiserver import discovery, openapi
from shared.apiserver.admission import Admission, AdmitByResource
from shared.apiserver.authentication import TokenTable
from shared.apiserver.definitions.custom import DEFINITIONS, DefinitionAdmission, follow_definitions
from shared.apiserver.healthz import Probe
from shared.apiserver.registry import Registry
from shared.apiserver.resources import Resources, Subresource
from shared.apiserver.server import ApiServer, Listening, ServerSettings
from shared.apiserver.serving import NOTHING_FORESEEN, Foreseen, Serving, Shown, as_stored
from shared.apiserver.upkeep.emptying import Emptier, ensure_namespaces
from shared.apiserver.upkeep.expiry import Expiry
from shared.apiserver.upkeep.garbage import GarbageCollector
from shared.clock import Clock, SystemClock
from shared.store.port import ObjectStore

Task = Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """What one server adds to the common part."""

    admission: Mapping[GroupResource, Admission] = field(default_factory=dict)
    """Rules for its own kinds."""

    everything: Admission | None = None
    """A rule for every kind, asked first."""

    subresources: Mapping[tuple[GroupResource, str], Subresource] = field(default_factory=dict)
    """Subresources beside status and scale."""

    shown: Shown = as_stored
    """What readers see of an object, where that is more than what is stored."""

    foreseen: Foreseen = NOTHING_FORESEEN
    """What whoever tries a write is warned of."""

    routes: Sequence[web.RouteDef] = ()
    """Further paths, for authenticated users."""

    not_ready: Probe = tuple
    """Names what still hinders serving, for /readyz."""

    leaving: Callable[[], bool] = lambda: False
    """Whether clients are to go elsewhere: each answer is then the last on its connection."""


@dataclass(frozen=True, slots=True)
class Api:
    """An API server before it listens. `tasks` must run for as long as it does."""

    serving: Serving
    registry: Registry
    server: ApiServer
    tasks: Mapping[str, Task]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Within, custom kinds are followed and the permanent namespaces exist."""
        stop = follow_definitions(self.registry, self.serving.store.mirror)
        try:
            await ensure_namespaces(self.serving)
            yield
        finally:
            stop()

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[Listening]:
        """Open it, and serve."""
        async with self.open(), self.server.listen() as listening:
            yield listening


def assemble(
    store: ObjectStore,
    registry: Registry,
    tokens: TokenTable,
    settings: ServerSettings,
    *,
    extensions: Extensions | None = None,
    clock: Clock | None = None,
) -> Api:
    """Put an API server together over *store*; nothing starts yet."""
    extensions = extensions or Extensions()
    clock = clock or SystemClock()
    admission = AdmitByResource(
        {DEFINITIONS: DefinitionAdmission(registry, clock), **extensions.admission},
        extensions.everything,
    )
    serving = Serving(
        store=store,
        kinds=registry,
        admission=admission,
        clock=clock,
        shown=extensions.shown,
        foreseen=extensions.foreseen,
    )
    server = ApiServer(
        Resources(serving, tokens, settings.limits, extensions.subresources),
        tokens,
        settings,
        routes=[*discovery.routes(registry), *openapi.routes(registry), *extensions.routes],
        not_ready=extensions.not_ready,
        leaving=extensions.leaving,
    )
    tasks: dict[str, Task] = {
        "emptying": Emptier(serving).run,
        "garbage": GarbageCollector(serving).run,
        "expiry": Expiry(serving).run,
    }
    return Api(serving, registry, server, tasks)
