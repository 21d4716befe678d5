"""The endpoint `explain` of the micro service `hanse`: why a template is where it is."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from services.scheduler.cache.federation import Federation
from services.scheduler.cache.reading import holder_of
from services.scheduler.core.decision import Decision
from services.scheduler.core.dependencies.dependents import in_words
from services.scheduler.core.policies import is_template, select_policy
from services.scheduler.core.telling.bindings import condition_of
from services.scheduler.core.telling.explaining import explanation_of, verdicts_now
from services.scheduler.core.telling.reasons import Trigger, basis_of
from services.scheduler.core.workload import Workload
from services.scheduler.deciding.deciding import Deciding
from services.scheduler.reconcilers.announcements import fact_subject
from shared.api.binding import BindingSpec, ResourceBinding
from shared.api.meta import GROUP, read
from shared.api.policy import PropagationPolicy
from shared.apimachinery.manifest import ObjectKey, generation_of, namespace_of
from shared.apiserver.answers.requests import answering, read_request
from shared.apiserver.status_errors import ApiFault, bad_request, not_found
from shared.bus.port import Bus
from shared.bus.told import told
from shared.clock import parse_time
from shared.events.explaining import ClusterVerdict, ExplainRequest, Explanation
from shared.events.placement import PlacementDecided, decode_placement
from shared.events.requests import API_EXPLAIN, SERVICE, VERSION
from shared.store.port import Mirror, Stored

_encode = msgspec.json.Encoder().encode
_DECISIONS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class _Now:
    """What would be decided at this moment."""

    policy: PropagationPolicy
    workload: Workload
    decision: Decision
    verdicts: Sequence[ClusterVerdict]


class ExplainDoor:
    """Reads what was told, and decides again by what decides."""

    def __init__(
        self, bus: Bus, mirror: Mirror, federation: Federation, deciding: Deciding
    ) -> None:
        self._bus = bus
        self._mirror = mirror
        self._federation = federation
        self._deciding = deciding

    async def run(self) -> None:
        """Offer the endpoint until cancelled."""
        async with self._bus.serve(SERVICE, VERSION, {API_EXPLAIN: answering(self._answer)}):
            await asyncio.Event().wait()

    async def _answer(self, body: bytes) -> bytes:
        return _encode(await self.explain(read_request(body, ExplainRequest)))

    async def explain(self, asked: ExplainRequest) -> Explanation:
        """Raise `ApiFault` where there is nothing to be explained."""
        at = _read_time(asked.at)
        stored = self._mirror.get(asked.key)
        facts = await told(
            self._bus, fact_subject(asked.key), decode_placement, most=_DECISIONS_MAX
        )
        if at is not None:
            facts = [one for one in facts if _is_by(one, at)]
            if not facts:
                raise ApiFault(404, f"no decision about {asked.name} is known from then or before")
            return explanation_of(facts)
        if stored is None:
            raise not_found(asked.key.group_resource, asked.key.name)
        found = await self._decide_now(asked.key, stored)
        bound = self._federation.bound(asked.key)
        if bound is not None and facts and facts[-1].binding_uid == bound.binding.metadata.uid:
            answer = explanation_of(facts, found.verdicts if found is not None else ())
        elif found is not None:
            answer = self._unrecorded(asked, stored, found)
        else:
            raise ApiFault(404, f"no policy selects {asked.name}, and nothing needs it")
        missing = self._federation.following.missing(stored.glance())
        return msgspec.structs.replace(
            answer,
            needed_by=self._users(bound.binding.spec) if bound is not None else (),
            missing=tuple(in_words(one) for one, _ in missing),
        )

    def _users(self, spec: BindingSpec) -> tuple[str, ...]:
        """For whose sake the object is there: what their bindings are about."""
        found = []
        for one in spec.required_by:
            resource = "resourcebindings" if one.namespace else "clusterresourcebindings"
            stored = self._mirror.get(ObjectKey(GROUP, resource, one.namespace, one.name))
            if stored is not None:
                about = read(stored.glance(), ResourceBinding).spec.resource
                key = about.key
                found.append(in_words((key.group, about.kind, key.namespace, key.name)))
        return tuple(sorted(found))

    async def _decide_now(self, key: ObjectKey, stored: Stored) -> "_Now | None":
        template = stored.glance()
        if not is_template(key, template):
            raise bad_request(f"{key.name} is not propagated")
        bound = self._federation.bound(key)
        policies = self._federation.policies.within(namespace_of(template))
        policy = select_policy(template, policies, holder_of(bound))
        speaking = self._federation.policies.active(policy, bound, template)
        if policy is not None and speaking is None and bound is None:
            raise ApiFault(404, f"no policy selects {key.name} yet: {policy.metadata.name} is Lazy")
        policy = speaking
        if policy is None:
            return None
        opinions = await self._deciding.heard(key, template, policy, bound)
        workload, decision = self._deciding.decide(key, template, policy, bound, opinions)
        fleet, revision = self._federation.fleet(), self._mirror.revision
        basis = basis_of(workload, fleet, decision, Trigger(), revision)
        return _Now(policy, workload, decision, verdicts_now(decision, basis))

    def _unrecorded(self, asked: ExplainRequest, stored: Stored, now: "_Now") -> Explanation:
        condition, demand = condition_of(now.decision, 0), now.workload.demand
        name, namespace = now.policy.metadata.name, now.policy.metadata.namespace
        return Explanation(
            about=asked.kind,
            namespace=asked.namespace,
            name=asked.name,
            recorded=False,
            policy=f"{namespace}/{name}" if namespace else name,
            policy_generation=now.policy.metadata.generation,
            template_generation=generation_of(stored.glance()),
            revision=self._mirror.revision,
            scheduled=condition.status == "True",
            reason=condition.reason,
            message=condition.message,
            replicas=demand.count if demand is not None else None,
            affinity=now.decision.affinity_name,
            unheard=dict(now.workload.opinions.failed),
            notes=now.decision.notes,
            clusters=tuple(now.verdicts),
        )


def _read_time(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as err:
        raise bad_request(f"at: {text!r} is no time in RFC 3339") from err


def _is_by(fact: PlacementDecided, at: datetime) -> bool:
    try:
        return parse_time(fact.occurred_at) <= at
    except ValueError:
        return False
