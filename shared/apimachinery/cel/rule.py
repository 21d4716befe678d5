"""One validation rule: compiled with what is wrong with it, evaluated with what it says.

Words are those of `k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel`; the checker's own are
cel-cpp's, which are cel-go's but for a few that are put right here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cel_expr_python import cel

from shared.apimachinery.cel.cost import Work, work_of
from shared.apimachinery.cel.environment import (
    HAS_OLD,
    OLD,
    PREVIOUS,
    SELF,
    loose,
    new_environment,
)
from shared.apimachinery.cel.words import compile_text, said

MESSAGE_MAX = 5 * 1024
# One fault: its place, its words, and the lines that point at it.
_FAULT = re.compile(r"ERROR: <input>:([0-9]+):([0-9]+): (.*?)(?=\nERROR: |\Z)", re.DOTALL)
# Kubernetes compares numbers across types, which the checker does not and the evaluator does.
_NUMBERS = re.compile(
    r"found no matching overload for '_(?:<|<=|>|>=|==|!=)_' applied to "
    r"'\((?:int|uint|double), (?:int|uint|double)\)'"
)


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A rule that compiles; `text` and `message` without the white space around them."""

    text: str
    message: str
    message_expression: str
    reason: str
    field_path: str
    uses_old: bool
    optional_old: bool
    work: Work

    @property
    def shown(self) -> str:
        return self.message or self.text


def read_rule(raw: Mapping[str, Any]) -> Rule:
    """Return the rule that *raw*, an element of `x-kubernetes-validations`, declares."""
    text = str(raw.get("rule") or "").strip()
    path = str(raw.get("fieldPath") or "")
    return Rule(
        text=text,
        message=str(raw.get("message") or "").strip(),
        message_expression=str(raw.get("messageExpression") or "").strip(),
        reason=str(raw.get("reason") or ""),
        field_path=path.removeprefix("."),
        uses_old=OLD in text and _names_old(text),
        optional_old=bool(raw.get("optionalOldSelf")),
        work=work_of(text),
    )


@lru_cache(maxsize=1_024)
def _names_old(text: str) -> bool:
    """Whether the rule really speaks of the old value, rather than in a text or a comment."""
    without = new_environment({SELF: cel.Type.DYN})
    why = compile_text(without, text)[1] or ""
    return f"undeclared reference to '{OLD}'" in why


class Checker:
    """Checks the rules beside one schema, whose type is *kind*."""

    def __init__(self, kind: Any, pool: Any) -> None:
        self._plain = new_environment({SELF: kind, OLD: kind, PREVIOUS: kind}, pool)

    def fault(self, text: str, *, optional_old: bool, wanted: Any) -> tuple[str, bool]:
        """Return why *text* does not compile, and whether it does but is not *wanted*."""
        source = wrapped(text, "true") if optional_old else text
        program, why = compile_text(self._plain, source)
        if why is None:
            return "", program.return_type() != wanted
        if optional_old:
            why = _moved(why)
        faults = [one for one in _FAULT.finditer(why) if not _NUMBERS.match(one[3])]
        if faults:
            return "".join(f"{one[0]}\n" for one in faults).rstrip("\n"), False
        # Only numbers of different types were compared, which is for the evaluator.
        return "", False


def wrapped(text: str, has_old: str = HAS_OLD) -> str:
    """Return *text* with `oldSelf` as an optional; the line break ends a comment within."""
    chosen = f"{has_old} ? optional.of({PREVIOUS}) : optional.none()"
    return f"cel.bind({OLD}, {chosen},\n{text}\n)"


def _moved(why: str) -> str:
    """Return the faults as if the first line of the wrapping were not there."""
    return re.sub(r"<input>:([0-9]+):", lambda found: f"<input>:{max(1, int(found[1]) - 1)}:", why)


@lru_cache(maxsize=4_096)
def _program(text: str, optional_old: bool) -> Any:  # noqa: FBT001 - a key of the cache.
    source = wrapped(text) if optional_old else text
    program, why = compile_text(loose(), source)
    # What compares numbers of different types is no fault, and passes no check.
    return program if why is None else loose().compile(source, disable_check=True)


@dataclass(frozen=True, slots=True)
class Trouble:
    """A rule that could not be evaluated; `spent`: it took too much, and no other may follow."""

    why: str
    spent: bool = False


class Moment:
    """What rules see: a value and, where there is one, the value before."""

    def __init__(self, value: Any, old: Any, *, has_old: bool) -> None:
        """Take both as the engine does (`to_cel`)."""
        data = {SELF: value, OLD: old, PREVIOUS: old, HAS_OLD: has_old}
        self._activation = loose().Activation(data)

    def evaluate(self, rule: Rule) -> bool | Trouble:
        """Return what the rule says."""
        found, trouble = self._value(rule.text, rule.optional_old)
        return trouble if trouble is not None else found is True

    def message(self, rule: Rule) -> str | None:
        """Return what the rule's expression says of its failure; None where it says nothing."""
        if not rule.message_expression:
            return None
        found, trouble = self._value(rule.message_expression, rule.optional_old)
        text = found.strip() if trouble is None and isinstance(found, str) else ""
        return None if not text or "\n" in text or len(text) > MESSAGE_MAX else text

    def _value(self, text: str, optional_old: bool) -> tuple[Any, Trouble | None]:  # noqa: FBT001
        try:
            found = _program(text, optional_old).eval(self._activation)
        except (RuntimeError, TypeError) as err:
            spent = "Iteration budget exceeded" in str(err)
            return None, Trouble(said(str(err)), spent)
        if found.type() == cel.Type.ERROR:
            return None, Trouble(said(str(found.value())))
        return found.value(), None
