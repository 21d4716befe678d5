"""The endpoints `traffic` of the micro service `hanse`: plans, in any form, why, and what came.

Every process of traffic answers, by what was decided and by the endpoints there are now.
"""

import asyncio

import msgspec

from services.traffic.core.catalogue import ServiceName
from services.traffic.core.explaining import explain
from services.traffic.core.plans import plan_of
from services.traffic.core.renderers.forms import render
from services.traffic.reconcilers.catalogue import LiveCatalogue
from services.traffic.reconcilers.split_facts import fact_subject
from shared.api.meta import GROUP, read
from shared.api.traffic_policy import TRAFFIC_POLICIES, TrafficPolicy
from shared.apimachinery.manifest import GroupResource, ObjectKey
from shared.apiserver.answers.requests import answering, read_request
from shared.apiserver.status_errors import bad_request, not_found
from shared.bus.port import Bus
from shared.bus.told import told
from shared.errors import InvalidObject
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
_NAME_MAX = 253
_FACTS_MAX = 20


class FeedDoor:
    """Answers from the mirror and the catalogue, once both are complete."""

    def __init__(self, bus: Bus, mirror: Mirror, catalogue: LiveCatalogue) -> None:
        self._bus = bus
        self._mirror = mirror
        self._catalogue = catalogue

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
        policies = self._policies(read_request(body, TrafficRequest))
        return _encode(TrafficFeed(plans=tuple(self._plan(one) for one in policies)))

    async def _explain(self, body: bytes) -> bytes:
        found = []
        for policy in self._policies(read_request(body, TrafficRequest)):
            subject = fact_subject(policy)
            facts = await told(self._bus, subject, decode_split_changed, most=_FACTS_MAX)
            found.append(explain(policy, facts))
        return _encode(TrafficExplanations(policies=tuple(found)))

    async def _render(self, body: bytes) -> bytes:
        asked = read_request(body, TrafficRenderRequest)
        if not (asked.namespace and asked.policy):
            raise bad_request("one policy is rendered: name it, and its namespace")
        wanted = TrafficRequest(namespace=asked.namespace, policy=asked.policy)
        (policy,) = self._policies(wanted)
        return _encode(render(self._plan(policy), asked))

    def _plan(self, policy: TrafficPolicy) -> TrafficPlan:
        name = ServiceName(policy.metadata.namespace, policy.spec.service)
        return plan_of(policy, self._catalogue.get(name))

    def _policies(self, asked: TrafficRequest) -> list[TrafficPolicy]:
        """Raise `ApiFault` 404 where there is no such policy, if one is asked for."""
        scope = Scope(GROUP, TRAFFIC_POLICIES, asked.namespace or None)
        found = []
        for stored in sorted(self._mirror.items(scope), key=lambda one: one.key):
            if asked.policy not in ("", stored.key.name):
                continue
            try:
                policy = read(stored.manifest, TrafficPolicy)
            except InvalidObject:
                continue
            if asked.service in ("", policy.spec.service):
                found.append(policy)
        if asked.policy and not found:
            raise not_found(_POLICIES, asked.policy)
        return found

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


def _key(namespace: str, name: str) -> ObjectKey:
    return ObjectKey(GROUP, TRAFFIC_POLICIES, namespace, name)
