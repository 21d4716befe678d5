"""Saying on each policy how much it selects, or why it selects nothing."""

from services.scheduler.cache.federation import Federation
from services.scheduler.core.policies import check_policy
from shared.api.conditions import with_condition
from shared.api.meta import Condition, read
from shared.api.policy import PolicyStatus, PropagationPolicy
from shared.apimachinery.manifest import ObjectKey, generation_of
from shared.clock import Clock, format_time
from shared.controller.result import Done, Result
from shared.controller.standing import write_status
from shared.errors import InvalidObject
from shared.store.port import ObjectStore

SELECTING = "Selecting"


class PolicyReconciler:
    """Keeps the status of one policy."""

    def __init__(self, store: ObjectStore, federation: Federation, clock: Clock) -> None:
        self._store = store
        self._federation = federation
        self._clock = clock

    async def reconcile(self, key: ObjectKey) -> Result:
        stored = self._store.mirror.get(key)
        if stored is None:
            return Done()
        generation = generation_of(stored.manifest)
        selected = self._federation.templates_of(key)
        condition = _selecting(selected, generation)
        before = PolicyStatus()
        try:
            policy = read(stored.manifest, PropagationPolicy)
            check_policy(policy)
            before = policy.status
        except InvalidObject as err:
            condition = Condition(
                type=SELECTING,
                status="False",
                reason="InvalidPolicy",
                message=f"{err}; what it placed before stays as it is",
                observed_generation=generation,
            )
        now = format_time(self._clock.now())
        after = PolicyStatus(
            observed_generation=generation,
            selected=selected,
            conditions=with_condition(before.conditions, condition, now=now),
        )
        await write_status(self._store, stored, after)
        return Done()


def _selecting(selected: int, generation: int) -> Condition:
    if selected:
        objects = "1 object" if selected == 1 else f"{selected} objects"
        return Condition(
            type=SELECTING,
            status="True",
            reason="Selected",
            message=f"it speaks for {objects}",
            observed_generation=generation,
        )
    return Condition(
        type=SELECTING,
        status="False",
        reason="NothingSelected",
        message="it selects nothing, or other policies speak for all that it selects",
        observed_generation=generation,
    )
