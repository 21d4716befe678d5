"""What a policy would move, told to whoever tries it with `--dry-run=server`.

The scheduler answers what it would do; the answer comes as warnings. Where it does not come soon
that is a warning too, and never a fault: a dry run says whether the policy may be written.
"""

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from shared.api.meta import GROUP
from shared.apimachinery.manifest import GroupResource, Manifest, namespace_of
from shared.bus.port import Bus, RequestError
from shared.errors import HanseError
from shared.events.plan_words import change_words, cost_words, sum_words
from shared.events.planning import Plan, PlanRequest
from shared.events.requests import API_PLAN

POLICIES = frozenset(
    {
        GroupResource(GROUP, "propagationpolicies"),
        GroupResource(GROUP, "clusterpropagationpolicies"),
    }
)
_SECONDS_MAX = 1.5
_DEADLINE = timedelta(seconds=3)
_CHANGES_SHOWN = 15

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Plan).decode


class Foresight:
    """Asks for the plan of a policy."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def warnings(self, resource: GroupResource, manifest: Manifest) -> tuple[str, ...]:
        """Return the plan in words; nothing for any kind but a policy."""
        if resource not in POLICIES:
            return ()
        asked = PlanRequest(
            objects=({**manifest, "metadata": _known(manifest)},),
            namespace=namespace_of(manifest),
            seconds_max=_SECONDS_MAX,
        )
        try:
            answer = await self._bus.request(API_PLAN, _encode(asked), deadline=_DEADLINE)
            return tuple(f"plan: {line}" for line in _lines(_decode(answer)))
        except (RequestError, HanseError, msgspec.DecodeError) as err:
            return (f"plan: what this would move is not known: {err}",)


def _known(manifest: Manifest) -> Manifest:
    metadata = manifest.get("metadata") or {}
    return {name: value for name, value in metadata.items() if name != "managedFields"}


def _lines(plan: Plan) -> Iterator[str]:
    yield sum_words(plan)
    yield from filter(None, (cost_words(plan), plan.message))
    for one in plan.changes[:_CHANGES_SHOWN]:
        yield change_words(one) + ("" if one.fits else "; it would have no place")
    if len(plan.changes) > _CHANGES_SHOWN:
        yield f"and {len(plan.changes) - _CHANGES_SHOWN} more: `hanse plan -f` shows all of them"
