"""The endpoints `traffic` of the micro service `hanse`: plans, in any form, why, and what came.

Every process of traffic answers, by what was decided and by the endpoints there are now. A policy
that cannot be understood is named, and keeps nobody from hearing of the others.
"""

import asyncio

import msgspec

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.explaining import explain
from services.traffic.core.plans import plan_of
from services.traffic.core.renderers.forms import render
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.guarding import Guard
from services.traffic.reconcilers.split_facts import fact_subject
from shared.api.meta import GROUP, read
from shared.api.traffic_policy import TRAFFIC_POLICIES, TrafficPolicy
from shared.apimachinery.manifest import GroupResource, ObjectKey
from shared.apiserver.answers.requests import answering, read_request
from shared.apiserver.status_errors import bad_request, not_found
from shared.bus.port import Bus
from shared.bus.told import told
from shared.events.requests import (
    API_TRAFFIC,
    API_TRAFFIC_EXPLAIN,
    API_TRAFFIC_RENDER,
    API_TRAFFIC_REPORT,
    SERVICE,
    VERSION,
)
from shared.events.traffic import (
    BOARD,
    WORD_TTL,
    TrafficExplanations,
    TrafficFeed,
    TrafficPlan,
    TrafficRenderRequest,
    TrafficReports,
    TrafficReportsTaken,
    TrafficRequest,
    decode_split_changed,
    encode_traffic,
    word_key,
)
from shared.store.port import Mirror, Scope

_encode = msgspec.json.Encoder().encode
_POLICIES = GroupResource(GROUP, TRAFFIC_POLICIES)
_TASK = "feed"
_NAME_MAX = 253
_FACTS_MAX = 20


class FeedDoor:
    """Answers from the mirror and the catalogue, once both are complete."""

    def __init__(self, bus: Bus, mirror: Mirror, catalogue: LiveCatalogue, guard: Guard) -> None:
        self._bus = bus
        self._mirror = mirror
        self._catalogue = catalogue
        self._guard = guard

    async def run(self) -> None:
        """Offer the endpoints until cancelled."""
        await self._catalogue.synced.wait()
        endpoints = {
            API_TRAFFIC: answering(self._answer),
            API_TRAFFIC_EXPLAIN: answering(self._explain),
            API_TRAFFIC_RENDER: answering(self._render),
            API_TRAFFIC_REPORT: answering(self._take),
        }
        async with self._bus.serve(SERVICE, VERSION, endpoints):
            await asyncio.Event().wait()

    async def _answer(self, body: bytes) -> bytes:
        plans, amiss = self._plans(read_request(body, TrafficRequest))
        return _encode(TrafficFeed(plans=tuple(plans), warnings=tuple(amiss)))

    async def _explain(self, body: bytes) -> bytes:
        found = []
        policies, amiss = self._policies(read_request(body, TrafficRequest))
        for policy in policies:
            subject = fact_subject(policy)
            facts = await told(self._bus, subject, decode_split_changed, most=_FACTS_MAX)
            found.append(explain(policy, facts))
        return _encode(TrafficExplanations(policies=tuple(found), warnings=tuple(amiss)))

    async def _render(self, body: bytes) -> bytes:
        asked = read_request(body, TrafficRenderRequest)
        if not (asked.namespace and asked.policy):
            raise bad_request("one policy is rendered: name it, and its namespace")
        wanted = TrafficRequest(namespace=asked.namespace, policy=asked.policy)
        plans, amiss = self._plans(wanted)
        if amiss:
            raise bad_request(amiss[0])
        return _encode(render(plans[0], asked))

    def _plans(self, asked: TrafficRequest) -> tuple[list[TrafficPlan], list[str]]:
        """Return the plans, and what is to say of policies without one."""
        plans: list[TrafficPlan] = []
        policies, amiss = self._policies(asked)
        for policy in policies:
            name = ServiceName(policy.metadata.namespace, policy.spec.service)
            with self._guard.taking(
                _TASK, _shown(name.namespace, policy.metadata.name), amiss.append
            ):
                plans.append(plan_of(policy, self._catalogue.get(name)))
        return plans, amiss

    def _policies(self, asked: TrafficRequest) -> tuple[list[TrafficPolicy], list[str]]:
        """Raise `ApiFault` 404 where there is no such policy, if one is asked for."""
        scope = Scope(GROUP, TRAFFIC_POLICIES, asked.namespace or None)
        found: list[TrafficPolicy] = []
        amiss: list[str] = []
        for stored in sorted(self._mirror.items(scope), key=lambda one: one.key):
            key = stored.key
            if asked.policy not in ("", key.name):
                continue
            with self._guard.taking(_TASK, _shown(key.namespace, key.name), amiss.append):
                policy = read(stored.manifest, TrafficPolicy)
                if asked.service in ("", policy.spec.service):
                    found.append(policy)
        if asked.policy and not (found or amiss):
            raise not_found(_POLICIES, asked.policy)
        return found, amiss

    async def _take(self, body: bytes) -> bytes:
        words = read_request(body, TrafficReports).words
        for word in words:
            if not 0 < len(word.front) <= _NAME_MAX:
                raise bad_request("front: who tells has a name of 1 to 253 characters")
            if self._mirror.get(_key(word.namespace, word.policy)) is None:
                raise not_found(_POLICIES, word.policy)
        board = self._bus.board(BOARD)
        for word in words:
            await board.put(word_key(word), encode_traffic(word), ttl=WORD_TTL)
        return _encode(TrafficReportsTaken(taken=len(words)))


def _shown(namespace: str, name: str) -> str:
    return f"trafficpolicy {namespace}/{name}"


def _key(namespace: str, name: str) -> ObjectKey:
    return ObjectKey(GROUP, TRAFFIC_POLICIES, namespace, name)
