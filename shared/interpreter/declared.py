"""The interpreter that a `ResourceInterpreter` declares: its paths read, its expressions compiled.

Built once per object; what is wrong with a declaration is found then, with the field's path. What
goes wrong with an object later is an `InvalidObject` that names interpreter, field and reason.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from shared.api.binding import Health
from shared.api.interpreter import (
    AggregatedField,
    DependencyInterpretation,
    HealthInterpretation,
    ReplicaResource,
    ResourceInterpreter,
    StatusAggregation,
)
from shared.apimachinery.cel.expression import Expression, ExpressionFailed
from shared.apimachinery.manifest import Manifest, namespace_of
from shared.apimachinery.quantity import canonical_quantity
from shared.errors import FieldError, InvalidObject
from shared.interpreter.conditions import all_of, any_of, with_conditions
from shared.interpreter.demand import ANY_NODE, NodeChoice, pod_choice, pod_requests
from shared.interpreter.dependencies import Labels, Reference, distinct, labels_at, pod_references
from shared.interpreter.health import health_by_conditions, is_behind, section_of
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.paths import Path, parse_path, put, value_at, values_at
from shared.interpreter.reflect import reflect_paths
from shared.interpreter.replicas import ReplicaPlace
from shared.interpreter.reports import Reports, Status

_AT = "spec.customizations"
EXPRESSIONS_MAX = 64
_REPORTED = ("statuses", "reports", "observedGeneration")

Evaluate = Callable[[Mapping[str, Any]], Any]


def declared_interpreter(declaration: ResourceInterpreter) -> Interpreter:
    """Return the interpreter; raises `InvalidObject` with everything that is wrong with it."""
    reading = _Reading(declaration.metadata.name)
    interpreter = reading.interpreter(declaration)
    if reading.faults:
        raise InvalidObject(f"{reading.shown} cannot be used", reading.faults)
    return interpreter


class _Reading:
    """One declaration being read; `faults` gathers what is wrong with it."""

    def __init__(self, name: str) -> None:
        self.shown = f"interpreter {name}"
        self.faults: list[FieldError] = []
        self._expressions = 0

    def interpreter(self, declaration: ResourceInterpreter) -> Interpreter:
        parts = declaration.spec.customizations
        replicas, health = parts.replica_resource, parts.health_interpretation
        aggregation, dependencies = parts.status_aggregation, parts.dependency_interpretation
        return Interpreter(
            replicas=self._place(replicas) if replicas is not None else None,
            needs=self._needs(replicas) if replicas is not None else None,
            node_choice=self._node_choice(replicas) if replicas is not None else None,
            judge=self._judge(health) if health is not None else None,
            reflection=(
                _reflection(self._paths(parts.status_reflection.fields, "statusReflection.fields"))
                if parts.status_reflection is not None
                else None
            ),
            aggregation=self._aggregation(aggregation) if aggregation is not None else None,
            references=self._references(dependencies) if dependencies is not None else None,
            labels=self._labels(replicas, dependencies),
            retained=(
                self._paths(parts.retention.paths, "retention.paths")
                if parts.retention is not None
                else None
            ),
        )

    # Reading what is written.

    def _path(self, text: str, at: str, *, single: bool = False) -> Path:
        try:
            return parse_path(text, single=single)
        except ValueError as err:
            self.faults.append(FieldError(f"{_AT}.{at}", f'Invalid value: "{text[:100]}": {err}'))
            return ()

    def _paths(self, texts: Sequence[str], at: str, *, single: bool = False) -> tuple[Path, ...]:
        if not texts:
            self.faults.append(
                FieldError(f"{_AT}.{at}", "Required value: at least one", "FieldValueRequired")
            )
        return self._any_paths(texts, at, single=single)

    def _any_paths(self, texts: Sequence[str], at: str, *, single: bool) -> tuple[Path, ...]:
        return tuple(
            self._path(text, f"{at}[{index}]", single=single) for index, text in enumerate(texts)
        )

    def _expression(
        self, text: str, at: str, *variables: str, boolean: bool = False
    ) -> Evaluate | None:
        """Return what evaluates *text*; None where it is left out, or wrong."""
        if not text:
            return None
        self._expressions += 1
        where = f"{_AT}.{at}"
        if self._expressions > EXPRESSIONS_MAX:
            why = f"Too many: must have at most {EXPRESSIONS_MAX} expressions"
            self.faults.append(FieldError(where, why, "FieldValueTooMany"))
            return None
        try:
            expression = Expression(text, ("object", *variables), boolean=boolean)
        except ExpressionFailed as err:
            self.faults.append(FieldError(where, f'Invalid value: "{text[:100]}": {err}'))
            return None

        def evaluate(seen: Mapping[str, Any]) -> Any:
            try:
                return expression.evaluate(seen)
            except ExpressionFailed as err:
                raise self._failed(at, str(err)) from err

        return evaluate

    def _failed(self, at: str, why: str) -> InvalidObject:
        """What goes wrong with an object, in a sentence that says where to mend it."""
        return InvalidObject(f"{self.shown}, {at}: {why}")

    # One operation each.

    def _place(self, declared: ReplicaResource) -> ReplicaPlace:
        at = "replicaResource.replicasPath"
        if declared.default_replicas < 0:
            where = f"{_AT}.replicaResource.defaultReplicas"
            self.faults.append(FieldError(where, "Invalid value: must be 0 or more"))
        path = self._path(declared.replicas_path, at, single=True)
        return ReplicaPlace(path, declared.default_replicas)

    def _needs(self, declared: ReplicaResource) -> Callable[[Manifest], Mapping[str, str]]:
        at = "replicaResource.requests"
        says = self._expression(declared.requests, at)
        template: Path = ()
        if declared.pod_template_path:
            where = "replicaResource.podTemplatePath"
            template = self._path(declared.pod_template_path, where, single=True)

        def needs(manifest: Manifest) -> Mapping[str, str]:
            if says is not None:
                return self._quantities(says({"object": _whole(manifest)}), at)
            pod = value_at(manifest, (*template, "spec")) if template else None
            place = f"{declared.pod_template_path}.spec"
            return pod_requests(pod, place) if isinstance(pod, Mapping) else {}

        return needs

    def _node_choice(self, declared: ReplicaResource) -> Callable[[Manifest], NodeChoice] | None:
        if not declared.pod_template_path:
            return None
        where = "replicaResource.podTemplatePath"
        template = self._path(declared.pod_template_path, where, single=True)

        def choice(manifest: Manifest) -> NodeChoice:
            pod = value_at(manifest, (*template, "spec"))
            return pod_choice(pod) if isinstance(pod, Mapping) else ANY_NODE

        return choice

    def _quantities(self, said: Any, at: str) -> Mapping[str, str]:
        if not isinstance(said, Mapping):
            raise self._failed(at, "must be a map from resource to quantity")
        try:
            found = {str(name): canonical_quantity(value) for name, value in said.items()}
        except ValueError as err:
            raise self._failed(at, str(err)) from err
        return dict(sorted(found.items()))

    def _judge(self, declared: HealthInterpretation) -> Callable[[Manifest], Health]:
        at = "healthInterpretation"
        verdicts: tuple[tuple[Health, str], ...] = (
            ("Degraded", declared.degraded),
            ("Progressing", declared.progressing),
            ("Healthy", declared.healthy),
        )
        asked = [
            (verdict, says)
            for verdict, text in verdicts
            if (says := self._expression(text, f"{at}.{verdict.lower()}", boolean=True))
        ]
        if not any(text for _, text in verdicts):
            why = "Required value: degraded, progressing or healthy"
            self.faults.append(FieldError(f"{_AT}.{at}", why, "FieldValueRequired"))

        def judge(manifest: Manifest) -> Health:
            status = section_of(manifest, "status")
            if "observedGeneration" in status and is_behind(manifest, status):
                return "Progressing"
            seen = {"object": _whole(manifest)}
            for verdict, says in asked:
                if says(seen):
                    return verdict
            return "Progressing" if declared.healthy else health_by_conditions(manifest)

        return judge

    def _aggregation(self, declared: StatusAggregation) -> Callable[[Reports], Status]:
        at = "statusAggregation"
        sums = self._any_paths(declared.sums, f"{at}.sums", single=True)
        fields = [
            found
            for index, field in enumerate(declared.fields)
            if (found := self._field(field, f"{at}.fields[{index}]")) is not None
        ]

        def aggregate(reports: Reports) -> Status:
            status: Status = {}
            known = any("observedGeneration" in each for each in reports.statuses)
            if declared.observed_generation and known:
                status["observedGeneration"] = reports.observed_generation
            for path in sums:
                if (total := reports.total_at(path)) is not None:
                    put(status, path, total)
            with_conditions(
                status,
                *(all_of(one, reports.targets, reports.silent) for one in declared.all_of),
                *(any_of(one, reports.targets) for one in declared.any_of),
            )
            seen = _all_that_is_reported(reports) if fields else {}
            for path, says in fields:
                if (value := says(seen)) is not None:
                    put(status, path, value)
            return status

        return aggregate

    def _field(self, field: AggregatedField, at: str) -> tuple[Path, Evaluate] | None:
        path = self._path(field.path, f"{at}.path", single=True)
        if not field.expression:
            why = "Required value: what to put there"
            self.faults.append(FieldError(f"{_AT}.{at}.expression", why, "FieldValueRequired"))
        says = self._expression(field.expression, f"{at}.expression", *_REPORTED)
        return (path, says) if says is not None else None

    def _labels(
        self, replicas: ReplicaResource | None, dependencies: DependencyInterpretation | None
    ) -> Callable[[Manifest], tuple[Labels, ...]] | None:
        """Of the pod templates that it names anyway."""
        texts = set(dependencies.pod_template_paths if dependencies is not None else ())
        if replicas is not None and replicas.pod_template_path:
            texts.add(replicas.pod_template_path)
        if not texts or self.faults:
            return None
        paths = [parse_path(text) for text in sorted(texts)]
        return lambda manifest: tuple(one for path in paths for one in labels_at(manifest, path))

    def _references(
        self, declared: DependencyInterpretation
    ) -> Callable[[Manifest], tuple[Reference, ...]]:
        at = "dependencyInterpretation"
        templates = self._any_paths(
            declared.pod_template_paths, f"{at}.podTemplatePaths", single=False
        )
        rules = []
        for index, rule in enumerate(declared.references):
            where = f"{at}.references[{index}]"
            if bool(rule.path) == bool(rule.expression):
                why = "Invalid value: either path or expression says the names"
                self.faults.append(FieldError(f"{_AT}.{where}", why))
                continue
            path = self._path(rule.path, f"{where}.path") if rule.path else None
            says = self._expression(rule.expression, f"{where}.expression")
            namespace: Path = ()
            if rule.namespace_path:
                namespace = self._path(rule.namespace_path, f"{where}.namespacePath", single=True)
            rules.append((rule, path, says, namespace, where))

        def references(manifest: Manifest) -> tuple[Reference, ...]:
            own = namespace_of(manifest)
            found = [
                reference
                for path in templates
                for pod in values_at(manifest, (*path, "spec"))
                for reference in pod_references(pod, own)
            ]
            for rule, path, says, namespace, where in rules:
                place = own if not namespace else value_at(manifest, namespace) or own
                if says is not None:
                    names = says({"object": _whole(manifest)})
                    if not isinstance(names, list):
                        raise self._failed(f"{where}.expression", "must be a list of names")
                else:
                    names = values_at(manifest, path or ())
                found += [
                    Reference(rule.api_version, rule.kind, str(place), name)
                    for name in names
                    if isinstance(name, str) and name
                ]
            return distinct(found)

        return references


def _reflection(paths: tuple[Path, ...]) -> Callable[[Manifest], Status]:
    return lambda manifest: reflect_paths(manifest, paths)


def _whole(manifest: Manifest) -> Manifest:
    """*manifest* as expressions see it: what a new object has not yet is empty there."""
    found = {name: value for name, value in manifest.items() if value is not None}
    return {"metadata": {}, "spec": {}, "status": {}, **found}


def _all_that_is_reported(reports: Reports) -> dict[str, Any]:
    leaving = {report.cluster for report in reports.leaving}
    return {
        "object": _whole(reports.template),
        "observedGeneration": reports.observed_generation,
        "statuses": reports.statuses,
        "reports": [
            {
                "cluster": report.cluster,
                "status": report.status,
                "health": report.health,
                "applied": report.applied,
                "leaving": report.cluster in leaving,
                "silent": report.cluster in reports.silent,
            }
            for report in reports.all
        ],
    }
