"""Asking plugins before a decision, within limits: what they answer is an input of it.

All plugins of a policy are asked side by side, each for as long as the policy says. One that gave
no good answer is not asked again for a while, and then for one object, until it is heard: a plugin
that hangs delays nobody for long, and again and again one only.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog

from services.scheduler.core.fleet import Fleet
from services.scheduler.core.opinions import NOBODY_ASKED, Opinions
from services.scheduler.core.workload import Workload
from shared.api.policy import PropagationPolicy
from shared.api.scoring import Plugin
from shared.apimachinery.manifest import Manifest, ObjectKey, annotations_of, labels_of
from shared.bus.port import RequestError, Requests
from shared.clock import Clock
from shared.errors import HanseError
from shared.events.plugins import (
    AskedCluster,
    AskedWorkload,
    PluginRequest,
    encode_request,
    filter_subject,
    plain_words,
    read_points,
    read_refused,
    score_subject,
)

log = structlog.get_logger("hanse.scheduler")

AT_ONCE = 12
"""Objects for which plugins are asked at a time: four workers are left for all others."""

Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class _Answer:
    refused: Mapping[str, str] | None = None
    points: Mapping[str, int] | None = None
    failed: str = ""


class Plugins:
    """Asks over *requests*; used from one event loop."""

    def __init__(
        self,
        requests: Requests,
        clock: Clock,
        rest: timedelta,
        wake: Callable[[ObjectKey], None],
    ) -> None:
        """*rest*: how long one that gave no good answer is not asked.

        *wake* is called with what could not be decided without it, once it is heard again.
        """
        self._requests = requests
        self._clock = clock
        self._rest = rest
        self._wake = wake
        self._waiting: dict[str, set[ObjectKey]] = {}
        self._turns: dict[str, asyncio.Semaphore] = {}
        # Until when a plugin is not asked, and why.
        self._resting: dict[str, tuple[float, str]] = {}
        # Objects for which plugins are asked now, and those that wait until fewer are.
        self._asking = 0
        self._queue: dict[ObjectKey, None] = {}

    @property
    def again_after(self) -> timedelta:
        """When what must hear a plugin and did not is to be looked at again."""
        return 2 * self._rest

    def holds_back(self, key: ObjectKey, policy: PropagationPolicy) -> bool:
        """Whether to decide the template would be to wait for others; it is woken after them."""
        if not policy.spec.placement.plugins or self._asking < AT_ONCE:
            return False
        self._queue[key] = None
        return True

    async def ask(self, workload: Workload, template: Manifest, fleet: Fleet) -> Opinions:
        """Return what the plugins of the placement say; nobody is waited for too long."""
        plugins = workload.placement.plugins
        if not plugins or workload.suspended:
            return NOBODY_ASKED
        body = encode_request(_request(workload, template, fleet))
        with self._turn():
            answers = await asyncio.gather(*(self._ask(one, body) for one in plugins))
        for plugin, answer in zip(plugins, answers, strict=True):
            waiting = self._waiting.setdefault(plugin.name, set())
            if answer.failed and plugin.failure_policy == "Fail":
                waiting.add(workload.key)
            elif not answer.failed:
                for key in waiting:
                    self._wake(key)
                waiting.clear()
        return _gathered(dict(zip(plugins, answers, strict=True)))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1
            if self._queue:
                key = next(iter(self._queue))
                del self._queue[key]
                self._wake(key)

    async def _ask(self, plugin: Plugin, body: bytes) -> _Answer:
        until, why = self._resting.get(plugin.name, (0.0, ""))
        if self._clock.monotonic() < until:
            return _Answer(failed=why)
        deadline = timedelta(milliseconds=plugin.timeout_milliseconds)
        if why:
            # One finds out for all others whether it is back.
            until = self._clock.monotonic() + deadline.total_seconds()
            self._resting[plugin.name] = (until, why)
        turns = self._turns.setdefault(plugin.name, asyncio.Semaphore(AT_ONCE))
        refused: Mapping[str, str] | None = None
        points: Mapping[str, int] | None = None
        try:
            async with asyncio.timeout(deadline.total_seconds()), turns:
                if plugin.filter:
                    refused = await self._answer(filter_subject(plugin.name), body, read_refused)
                if plugin.weight:
                    points = await self._answer(score_subject(plugin.name), body, read_points)
        except TimeoutError:
            why = f"no answer within {plugin.timeout_milliseconds} ms"
        except (RequestError, HanseError) as err:
            why = plain_words(str(err))
        else:
            self._resting.pop(plugin.name, None)
            return _Answer(refused, points)
        log.warning("plugin.unheard", plugin=plugin.name, why=why)
        until = self._clock.monotonic() + self._rest.total_seconds()
        self._resting[plugin.name] = (until, why)
        return _Answer(failed=why)

    async def _answer(self, subject: str, body: bytes, read: Callable[[bytes], Read]) -> Read:
        # The time of all that is asked of a plugin is bounded outside.
        return read(await self._requests.request(subject, body, deadline=_LONG))


_LONG = timedelta(seconds=10)


def _request(workload: Workload, template: Manifest, fleet: Fleet) -> PluginRequest:
    demand, placement = workload.demand, workload.placement
    covered = fleet.covered_by_any(placement.affinities or (None,))
    return PluginRequest(
        workload=AskedWorkload(
            api_version=workload.gvk.api_version,
            kind=workload.gvk.kind,
            namespace=workload.key.namespace,
            name=workload.key.name,
            labels=dict(labels_of(template)),
            annotations=dict(annotations_of(template)),
            replicas=demand.count if demand is not None else None,
            requests=dict(demand.requests) if demand is not None else {},
            current={one.name: one.replicas for one in workload.current},
        ),
        clusters=tuple(
            AskedCluster(
                name=name,
                labels=dict(member.labels),
                provider=member.place.get("provider", ""),
                region=member.place.get("region", ""),
                zone=member.place.get("zone", ""),
            )
            for name, member in fleet.members.items()
            if name in covered
        ),
    )


def _gathered(answers: Mapping[Plugin, _Answer]) -> Opinions:
    refused: dict[str, str] = {}
    points: dict[str, Mapping[str, int]] = {}
    failed: dict[str, str] = {}
    closed = ""
    for plugin, answer in answers.items():
        if answer.failed:
            failed[plugin.name] = answer.failed
            if plugin.failure_policy == "Fail":
                closed = closed or f"plugin {plugin.name} was not heard: {answer.failed}"
            continue
        for name, why in (answer.refused or {}).items():
            refused.setdefault(name, f"plugin {plugin.name}: {why}")
        if answer.points is not None:
            points[plugin.name] = answer.points
    return Opinions(refused=refused, points=points, failed=failed, closed=closed)
