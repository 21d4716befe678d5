"""The first workloads of the trace placed together on the empty fleet, beside one by one."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from bench.openb_strategies import ByPrice
from bench.openb_world import read_clusters, read_jobs
from services.scheduler.core.together.choosing import choose_together
from services.scheduler.core.together.problem import problem_of
from services.scheduler.deciding.solving import solve

_NOW = datetime(2026, 1, 1, tzinfo=UTC)
_ROW = 400
_SECONDS = 10.0
_OBJECTIVES: Sequence[Literal["Cost", "Packing"]] = ("Cost", "Packing")


def place_together(trace: Path, clusters: int, workloads: int) -> dict[str, Any]:
    """Place so many workloads of several replicas by each objective, within ten seconds."""
    some = [job for job in read_jobs(trace, _ROW) if job.count > 1][:workloads]
    strategy = ByPrice(read_clusters(trace, clusters))
    figures = {}
    for objective in _OBJECTIVES:
        started = time.perf_counter()
        problem = problem_of(
            [strategy.workload(job, {}) for job in some],
            strategy.fleet,
            objective,
            strategy.signals,
        )
        proposed = solve(problem, _SECONDS)
        solved = time.perf_counter()
        chosen = choose_together(problem, proposed, _NOW)
        figures[objective.lower()] = {
            "workloads": len(problem.parts),
            "together": round(chosen.value, 2),
            "one_by_one": round(chosen.alone, 2),
            "solver_seconds": round(solved - started, 2),
            "check_seconds": round(time.perf_counter() - solved, 2),
        }
    return figures
