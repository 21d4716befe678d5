"""The door to the solver: a set of workloads placed together, within a time and out of the way.

All of it happens in a thread, on a fleet of its own. There the solver is loaded when it is needed
for the first time: with numpy it takes 20 MiB and half a second, which those who never place
anything together need not have.
"""

import asyncio
import importlib
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from services.scheduler.core.fleet import Fleet
from services.scheduler.core.signals.values import Signals
from services.scheduler.core.together.choosing import Chosen, choose_together
from services.scheduler.core.together.problem import Placing, Problem, problem_of
from services.scheduler.core.workload import Workload
from shared.api.placement import Optimise

log = structlog.get_logger("hanse.scheduler")

VARIABLES_MAX = 20_000
"""Workloads times clusters; of more the solver is not asked."""

_LATE_SECONDS = 5.0
"""How long everything beside the solver may take, and the solver to stop."""

_NOTHING = Chosen({}, 0.0, 0.0)
_SOLVER = "services.scheduler.deciding.solving"


async def place_together(
    workloads: Sequence[Workload], fleet: Fleet, rules: Optimise, signals: Signals, now: datetime
) -> Chosen:
    """Return the best placing of *workloads*, who all take part.

    It has no goals where there is none, or it is late or broken: then each is placed by itself.
    """
    if not workloads:
        return _NOTHING
    apart = Fleet(fleet.members.values(), fleet.arriving, fleet.scopes)
    try:
        async with asyncio.timeout(2 * rules.time_limit_seconds + _LATE_SECONDS):
            return await asyncio.to_thread(_work_out, workloads, apart, rules, signals, now)
    except TimeoutError:
        return _NOTHING
    except Exception:
        # A solver that is broken or missing must not keep anything from being placed.
        log.exception("together.bug", workloads=len(workloads))
        return _NOTHING


def _work_out(
    workloads: Sequence[Workload], fleet: Fleet, rules: Optimise, signals: Signals, now: datetime
) -> Chosen:
    problem = problem_of(workloads, fleet, rules.objective, signals)
    proposed: Placing | None = None
    if 0 < sum(len(part.most) for part in problem.parts) <= VARIABLES_MAX:
        solve: Callable[[Problem, float], Placing | None] = importlib.import_module(_SOLVER).solve
        proposed = solve(problem, rules.time_limit_seconds)
    return choose_together(problem, proposed, now)
