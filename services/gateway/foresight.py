"""What a write would move, told to whoever tries it with `--dry-run=server`.

The scheduler answers what it would do; the answer comes as warnings, of a policy always, of a
template where something comes of it. Where no answer comes soon that is never a fault: a dry run
says whether the object may be written.
"""

from collections.abc import Iterator
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from shared.api.meta import GROUP
from shared.api.own_kinds import OWN_KINDS
from shared.apimachinery.manifest import GroupResource, Manifest, namespace_of
from shared.bus.port import Bus, RequestError
from shared.errors import HanseError
from shared.events.plan_words import change_words, cost_words, displacement_words, sum_words
from shared.events.planning import Plan, PlanRequest, SupposedAbsence, SupposedTemplate
from shared.events.requests import API_PLAN
from shared.store.port import Stored

POLICIES = frozenset(
    {
        GroupResource(GROUP, "propagationpolicies"),
        GroupResource(GROUP, "clusterpropagationpolicies"),
    }
)
_NEVER_TEMPLATES = frozenset(
    GroupResource(group, resource) for (group, _), resource in OWN_KINDS.items()
)
_SECONDS_MAX = 1.5
_DEADLINE = timedelta(seconds=3)
_SOON = timedelta(seconds=1)
_CHANGES_SHOWN = 15

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Plan).decode


class Foresight:
    """Asks for the plan of a policy or a template, written or deleted."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def written(self, stored: Stored) -> tuple[str, ...]:
        """Return the plan in words; nothing for a kind that has no part in one."""
        manifest, resource = stored.manifest, stored.key.group_resource
        stated = {**manifest, "metadata": _known(manifest)}
        namespace = namespace_of(manifest)
        if resource in POLICIES:
            return await self._of_policy(PlanRequest(objects=(stated,), namespace=namespace))
        if _is_no_template(resource):
            return ()
        template = SupposedTemplate(
            resource=resource.resource, namespace=namespace, manifest=stated
        )
        return await self._of_template(PlanRequest(templates=(template,), namespace=namespace))

    async def deleted(self, stored: Stored) -> tuple[str, ...]:
        """Return the plan of its deletion, likewise."""
        key, resource = stored.key, stored.key.group_resource
        absent = SupposedAbsence(
            group=key.group, resource=key.resource, namespace=key.namespace, name=key.name
        )
        asked = PlanRequest(without=(absent,), namespace=key.namespace)
        if resource in POLICIES:
            return await self._of_policy(asked)
        return () if _is_no_template(resource) else await self._of_template(asked)

    async def _of_policy(self, asked: PlanRequest) -> tuple[str, ...]:
        asked = replace(asked, seconds_max=_SECONDS_MAX)
        try:
            return _told(_lines(await self._plan(asked, _DEADLINE)))
        except (RequestError, HanseError, msgspec.DecodeError) as err:
            return (f"plan: what this would move is not known: {err}",)

    async def _of_template(self, asked: PlanRequest) -> tuple[str, ...]:
        asked = replace(asked, seconds_max=_SOON.total_seconds(), only_templates=True)
        try:
            plan = await self._plan(asked, _SOON)
        except (RequestError, HanseError, msgspec.DecodeError):
            # Most objects are tried without any thought of where they go: of these nothing is said.
            return ()
        return _told(_changes(plan)) if plan.changes else ()

    async def _plan(self, asked: PlanRequest, deadline: timedelta) -> Plan:
        return _decode(await self._bus.request(API_PLAN, _encode(asked), deadline=deadline))


def _is_no_template(resource: GroupResource) -> bool:
    return resource.group == GROUP or resource in _NEVER_TEMPLATES


def _known(manifest: Manifest) -> Manifest:
    metadata = manifest.get("metadata") or {}
    return {name: value for name, value in metadata.items() if name != "managedFields"}


def _told(lines: Iterator[str]) -> tuple[str, ...]:
    return tuple(f"plan: {line}" for line in lines)


def _lines(plan: Plan) -> Iterator[str]:
    yield sum_words(plan)
    yield from _changes(plan)


def _changes(plan: Plan) -> Iterator[str]:
    yield from filter(None, (cost_words(plan), plan.message))
    for one in plan.changes[:_CHANGES_SHOWN]:
        yield change_words(one) + ("" if one.fits else "; it would have no place")
        yield from displacement_words(one)
        yield from (note for note in one.notes if one.fits and note not in plan.message)
    if len(plan.changes) > _CHANGES_SHOWN:
        yield f"and {len(plan.changes) - _CHANGES_SHOWN} more: `hanse plan -f` shows all of them"
