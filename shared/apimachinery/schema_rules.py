"""Whether an object keeps the rules (`x-kubernetes-validations`) of its schema. Pure.

Rules are evaluated where they stand, from the root inwards. A rule on what did not change is not
evaluated again unless it compares with the old value (KEP-4008); one that compares is evaluated
only where there is an old value to compare with. A budget bounds all of them together.
"""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.cel.cost import BUDGET, cost_of, measure
from shared.apimachinery.cel.rule import Moment, Rule, Trouble, read_rule
from shared.apimachinery.cel.values import to_cel
from shared.apimachinery.correlation import NOTHING, Earlier
from shared.apimachinery.scalars import shown
from shared.apimachinery.schema import Schema
from shared.errors import FieldError

_SPENT = (
    "validation failed due to running out of cost budget, no further validation rules will be run"
)
_UNCHECKED = (
    "some validation rules were not checked because the object was invalid; "
    "correct the existing errors to complete validation"
)
_BLOCKING = ("FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany")
_TYPE_INVALID = "FieldValueTypeInvalid"
_REASONS = {
    "FieldValueForbidden": "Forbidden",
    "FieldValueRequired": "Required value",
    "FieldValueDuplicate": "Duplicate value",
}


def rule_faults(
    manifest: Mapping[str, Any],
    schema: Schema,
    old: Mapping[str, Any] | None,
    found: list[FieldError],
) -> list[FieldError]:
    """Return what the rules say of *manifest*; *found* are the faults of its schema.

    An object of the wrong shape is not shown to rules, which expect the right one.
    """
    if not schema.has_rules:
        return []
    if any(fault.reason in (*_BLOCKING, _TYPE_INVALID) for fault in found):
        return [FieldError("", f"Invalid value: null: {_UNCHECKED}")]
    run = _Run()
    before = NOTHING if old is None else Earlier(old)
    run.visit(dict(manifest), schema, "", before, root=True)
    return run.faults


def value_rule_faults(value: Any, schema: Schema, path: str) -> list[FieldError]:
    """Return what the rules of *schema* say of a new value at *path*."""
    run = _Run()
    run.visit(value, schema, path, NOTHING)
    return run.faults


class _Run:
    """One walk over one object."""

    def __init__(self) -> None:
        self.faults: list[FieldError] = []
        self._left = BUDGET

    def visit(
        self, value: Any, schema: Schema, path: str, before: Earlier, *, root: bool = False
    ) -> None:
        if value is None or self._left < 0 or not schema.has_rules:
            return
        if schema.rules:
            self._judge(value, schema, path, before, root=root)
        if isinstance(value, dict):
            for name, each in value.items():
                child = schema.field(name)
                if child is not None:
                    where = _joined(path, name) if schema.declares(name) else f"{path}[{name}]"
                    self.visit(each, child, where, before.field(name, each))
        elif isinstance(value, list):
            for place, (each, earlier) in enumerate(before.items(value, schema)):
                self.visit(each, schema.items, f"{path}[{place}]", earlier)

    def _judge(self, value: Any, schema: Schema, path: str, before: Earlier, *, root: bool) -> None:
        rules = [rule for raw in schema.rules if (rule := read_rule(raw)).text]
        due = [rule for rule in rules if _is_due(rule, value, before)]
        if not due:
            return
        size = measure(value)
        moment = Moment(
            to_cel(value, schema, root=root),
            to_cel(before.value, schema, root=root) if before.known else None,
            has_old=before.known,
        )
        for rule in due:
            self._left -= cost_of(size, rule.work)
            if self._left < 0:
                self._add(path, schema, _SPENT)
                return
            verdict = moment.evaluate(rule)
            if isinstance(verdict, Trouble):
                self._add(path, schema, _explained(verdict, rule))
                if verdict.spent:
                    self._left = -1
                    return
            elif not verdict:
                self.faults.append(_refusal(rule, moment, value, path))

    def _add(self, path: str, schema: Schema, why: str) -> None:
        kind = str(schema.raw.get("type") or "")
        self.faults.append(FieldError(path, f"Invalid value: {shown(kind)}: {why}"))


def _is_due(rule: Rule, value: Any, before: Earlier) -> bool:
    if not rule.uses_old:
        return not before.is_same(value)
    return before.known or rule.optional_old


def _explained(trouble: Trouble, rule: Rule) -> str:
    if trouble.spent:
        why = "no further validation rules will be run due to call cost exceeds limit for rule"
        return f"'operation cancelled: actual cost limit exceeded': {why}: {rule.shown}"
    if trouble.why == "no such overload":
        why = "call arguments did not match a supported operator, function or macro signature"
        return f"'no such overload': {why} for rule: {rule.shown}"
    return f"{trouble.why} evaluating rule: {rule.shown}"


def _refusal(rule: Rule, moment: Moment, value: Any, path: str) -> FieldError:
    detail = moment.message(rule) or rule.message or f"failed rule: {rule.text}"
    where = _joined(path, rule.field_path) if rule.field_path else path
    body = _REASONS.get(rule.reason, "Invalid value")
    value_shown = "" if isinstance(value, dict | list) else f": {shown(value)}"
    if rule.reason == "FieldValueDuplicate":
        return FieldError(where, f"{body}{value_shown}", rule.reason)
    if rule.reason in _REASONS:
        return FieldError(where, f"{body}: {detail}", rule.reason)
    return FieldError(where, f"{body}{value_shown}: {detail}")


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
