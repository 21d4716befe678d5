"""What an interpreter answers to an object, operation by operation, and whether that is expected.

A case is plain data, so that people write it as YAML beside the interpreter: `object`, and where
wanted `replicas` (the share of a member) and `statuses` (by cluster, of members that have applied
the newest generation). `expect` is what some operations are to answer.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from shared.api.binding import ClusterReport
from shared.api.meta import Struct
from shared.apimachinery.manifest import Manifest, generation_of
from shared.errors import InvalidObject
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.reports import gather_reports


class Case(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One object, and what is expected of it."""

    name: str = ""
    object: dict[str, Any]
    replicas: int | None = None
    statuses: dict[str, dict[str, Any]] = {}
    expect: dict[str, Any] = {}


class CaseFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A document of cases."""

    tests: tuple[Case, ...]


ERROR = "error"
"""Key under which an answer says why there is none."""


def answer(interpreter: Interpreter, case: Case, operations: Iterable[str]) -> dict[str, Any]:
    """Return what *interpreter* says of the case's object, by operation; all are plain data."""
    found = {}
    for operation in operations:
        try:
            found[operation] = OPERATIONS[operation](interpreter, case)
        except InvalidObject as err:
            found[operation] = {ERROR: str(err)}
    return found


def surprises(interpreter: Interpreter, case: Case) -> list[str]:
    """Return a line for each operation that answers something else than the case expects."""
    found = []
    for operation, expected in case.expect.items():
        if operation not in OPERATIONS:
            found.append(f"{operation}: is no operation; there are {', '.join(OPERATIONS)}")
            continue
        said = answer(interpreter, case, [operation])[operation]
        agrees = _holds(said, expected) if operation in WHOLE_OBJECTS else said == expected
        if not agrees:
            found.append(f"{operation}: expected {expected!r}, but it is {said!r}")
    return found


def _holds(said: Any, expected: Any) -> bool:
    """Whether *said* has everything that is *expected* of it; null is as good as absent."""
    if not isinstance(expected, Mapping):
        return bool(said == expected)
    return isinstance(said, Mapping) and all(
        _holds(said.get(name), value) for name, value in expected.items()
    )


def _replica_resource(interpreter: Interpreter, case: Case) -> Any:
    demand = interpreter.demand(case.object)
    if demand is None:
        return None
    return {"replicas": demand.count, "requests": dict(demand.requests)}


def _replica_revision(interpreter: Interpreter, case: Case) -> Manifest:
    if case.replicas is None:
        return interpreter.with_default_replicas(case.object)
    return interpreter.with_replicas(case.object, case.replicas)


def _aggregated(interpreter: Interpreter, case: Case) -> Any:
    generation = generation_of(case.object)
    reports = [
        ClusterReport(cluster=name, applied=True, template_generation=generation, status=status)
        for name, status in case.statuses.items()
    ]
    return interpreter.aggregate(gather_reports(case.object, reports))


def _dependencies(interpreter: Interpreter, case: Case) -> list[dict[str, str]]:
    return [
        {name: value for name, value in found.items() if value}
        for one in interpreter.dependencies(case.object)
        for found in (
            {
                "apiVersion": one.api_version,
                "kind": one.kind,
                "namespace": one.namespace,
                "name": one.name,
            },
        )
    ]


OPERATIONS: Mapping[str, Callable[[Interpreter, Case], Any]] = {
    "replicaResource": _replica_resource,
    "replicaRevision": _replica_revision,
    "healthInterpretation": lambda interpreter, case: interpreter.health(case.object),
    "statusReflection": lambda interpreter, case: interpreter.reflect(case.object),
    "statusAggregation": _aggregated,
    "dependencyInterpretation": _dependencies,
    "retention": lambda interpreter, case: interpreter.sent(case.object),
}
"""By the names that Karmada has for them."""

WHOLE_OBJECTS = ("replicaRevision", "retention")
