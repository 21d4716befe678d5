"""What is asked of the rules (`x-kubernetes-validations`) beside a schema.

Each has its words in order, compiles against the types of the schema, and may look back only where
there is something to compare with.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from cel_expr_python import cel

from shared.apimachinery.cel.declarations import Declarations
from shared.apimachinery.cel.rule import Checker, read_rule
from shared.apiserver.definitions.keywords import Surroundings
from shared.apiserver.definitions.paths import field_at
from shared.apiserver.semantics.faults import invalid, required, unsupported
from shared.errors import FieldError

_REASONS = (
    *("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"),
)
_BREAK = re.compile(r"[\n\r]")
_NO_TYPE = (
    "Internal error: internal error: failed to construct type information for "
    "x-kubernetes-validations rules: unable to convert structural schema to CEL declarations"
)


class RuleChecks:
    """Checks the rules of one whole schema; its types are made when the first rule is met."""

    def __init__(self, schema: Mapping[str, Any], path: str) -> None:
        self._schema = schema
        self._path = path

    @cached_property
    def _declarations(self) -> Declarations:
        return Declarations(self._schema)

    def faults(
        self, schema: Mapping[str, Any], path: str, around: Surroundings, *, sound: bool
    ) -> list[FieldError]:
        """*sound*: nothing else is wrong with the schema, so that its types can be relied on."""
        where = f"{path}.x-kubernetes-validations"
        rules = schema["x-kubernetes-validations"]
        faults = [
            fault
            for place, rule in enumerate(rules)
            for fault in _word_faults(rule, schema, f"{where}[{place}]")
        ]
        if faults or not sound:
            return faults
        kind = self._declarations.type_of(schema)
        if kind is None:
            return [FieldError(where, _NO_TYPE, "InternalError")]
        checker = Checker(kind, self._declarations.pool)
        return [
            fault
            for place, rule in enumerate(rules)
            for fault in _compile_faults(checker, rule, f"{where}[{place}]", around)
        ]


def _word_faults(
    rule: Mapping[str, Any], schema: Mapping[str, Any], path: str
) -> Iterator[FieldError]:
    text, message = str(rule.get("rule") or "").strip(), str(rule.get("message") or "")
    if not text:
        yield required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        yield invalid(f"{path}.message", message, "must be non-empty if specified")
    elif _BREAK.search(message.strip()):
        yield invalid(f"{path}.message", message, "must not contain line breaks")
    elif _BREAK.search(text) and not message:
        why = "message must be specified if rule contains line breaks"
        yield required(f"{path}.message", why)
    expression = rule.get("messageExpression")
    if expression and not expression.strip():
        why = "messageExpression must be non-empty if specified"
        yield required(f"{path}.messageExpression", why)
    reason = rule.get("reason")
    if reason is not None and reason not in _REASONS:
        yield unsupported(f"{path}.reason", reason, _REASONS)
    field = rule.get("fieldPath") or ""
    if field and not field.strip():
        yield invalid(f"{path}.fieldPath", field, "must be non-empty if specified")
    if _BREAK.search(field):
        yield invalid(f"{path}.fieldPath", field, "must not contain line breaks")
    if field and field_at(schema, field)[1] is not None:
        yield invalid(f"{path}.fieldPath", field, "must be a valid path")


def _compile_faults(
    checker: Checker, raw: Mapping[str, Any], path: str, around: Surroundings
) -> Iterator[FieldError]:
    rule, optional = read_rule(raw), bool(raw.get("optionalOldSelf"))
    why, other_type = checker.fault(raw["rule"], optional_old=optional, wanted=cel.Type.BOOL)
    if why:
        yield invalid(f"{path}.rule", _shown(raw), f"compilation failed: {why}")
    elif other_type:
        yield invalid(f"{path}.rule", _shown(raw), "cel expression must evaluate to a bool")
    expression = raw.get("messageExpression")
    if expression and not (why or other_type):
        why, other_type = checker.fault(expression, optional_old=optional, wanted=cel.Type.STRING)
        where = f"{path}.messageExpression"
        if why:
            yield invalid(where, _shown(raw), f"messageExpression compilation failed: {why}")
        elif other_type:
            yield invalid(where, _shown(raw), "messageExpression must evaluate to a string")
    if rule.uses_old and around.uncorrelatable:
        why = (
            "oldSelf cannot be used on the uncorrelatable portion of the schema within "
            f"{around.uncorrelatable}"
        )
        yield invalid(f"{path}.rule", raw["rule"], why)
    elif not rule.uses_old and raw.get("optionalOldSelf") is not None:
        why = "may not be set if oldSelf is not used in rule"
        yield invalid(f"{path}.optionalOldSelf", raw["optionalOldSelf"], why)


def _shown(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Kubernetes shows the rule as it holds it."""
    return {
        "Rule": raw.get("rule") or "",
        "Message": raw.get("message") or "",
        "MessageExpression": raw.get("messageExpression") or "",
        "Reason": raw.get("reason"),
        "FieldPath": raw.get("fieldPath") or "",
        "OptionalOldSelf": raw.get("optionalOldSelf"),
    }
