"""One expression over named variables of any type: what is wrong with it, and what it says.

For rules that are not beside a schema, so that types are found out when it is evaluated. What one
evaluation may cost is bounded: by the engine's iterations, and before it begins by the size of
what it reads and the loops it may make over that.
"""

import re
from collections.abc import Collection, Mapping
from functools import cache
from math import isfinite
from typing import Any

from cel_expr_python import cel

from shared.apimachinery.cel.cost import BUDGET, cost_of, measure, work_of
from shared.apimachinery.cel.environment import new_environment
from shared.apimachinery.cel.words import compile_text, said

TEXT_MAX = 4_096
_BINDS_MAX = 8
_BIND = re.compile(r"\bcel\s*\.\s*bind\s*\(")


class ExpressionFailed(ValueError):
    """An expression that does not compile, or could not be evaluated; the text says why."""


class Expression:
    """A compiled expression; made once, evaluated often."""

    def __init__(self, text: str, variables: Collection[str], *, boolean: bool = False) -> None:
        """Raise `ExpressionFailed` where *text* is none over *variables*.

        *boolean*: it must say true or false.
        """
        self.text = text
        if len(text) > TEXT_MAX:
            raise ExpressionFailed(f"must be no more than {TEXT_MAX} characters")
        # What is bound may be doubled each time.
        if len(_BIND.findall(text)) > _BINDS_MAX:
            raise ExpressionFailed(f"must use cel.bind no more than {_BINDS_MAX} times")
        self._environment = _environment(tuple(sorted(variables)))
        program, why = compile_text(self._environment, text)
        if why is not None:
            raise ExpressionFailed(f"compilation failed: {why}")
        if boolean and program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
            raise ExpressionFailed("must evaluate to a bool")
        self._boolean = boolean
        self._program = program
        self._work = work_of(text)

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Return plain data; raises `ExpressionFailed` where there is none to be had."""
        if cost_of(measure(list(variables.values())), self._work) > BUDGET:
            raise ExpressionFailed("would cost too much over an object of this size")
        try:
            found = self._program.eval(self._environment.Activation(dict(variables)))
            if found.type() == cel.Type.ERROR:
                raise ExpressionFailed(said(str(found.value())))
            value = found.plain_value()
        except (RuntimeError, TypeError) as err:
            raise ExpressionFailed(said(str(err).partition("\n")[0])) from err
        if self._boolean and not isinstance(value, bool):
            raise ExpressionFailed("says neither true nor false")
        if not _is_plain(value):
            raise ExpressionFailed("says something that JSON has no form for")
        return value


def _is_plain(value: Any) -> bool:
    """Whether it is data: no date, duration, quantity, type, optional or number without end."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(each) for name, each in value.items())
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, float):
        return isfinite(value)
    return value is None or isinstance(value, str | int)


@cache
def _environment(variables: tuple[str, ...]) -> Any:
    return new_environment(dict.fromkeys(variables, cel.Type.DYN))
