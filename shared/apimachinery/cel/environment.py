"""The engine, with everything that rules may call."""

from collections import defaultdict
from functools import cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_bindings, ext_optional

from shared.apimachinery.cel import lists, networks, quantities, texts
from shared.apimachinery.cel.messages import POOL

SELF, OLD = "self", "oldSelf"
# What an optional `oldSelf` is made of.
PREVIOUS, HAS_OLD = "__previous__", "__given__"
# Not every library of the engine has a name in Python.
_CONFIG = "name: rules\nextensions:\n- name: two-var-comprehensions\n"


def new_environment(variables: dict[str, Any], pool: Any = POOL) -> Any:
    """Return an environment over *variables*; *pool* holds the message types they name."""
    return cel.NewEnv(
        pool,
        config=cel.NewEnvConfigFromYaml(_CONFIG),
        variables=variables,
        extensions=[ext_optional.ExtOptional(), ext_bindings.ExtBindings()],
        functions=_functions(),
    )


@cache
def loose() -> Any:
    """Return the environment that evaluates: every object is a map, every type is found out."""
    dyn = cel.Type.DYN
    return new_environment({SELF: dyn, OLD: dyn, PREVIOUS: dyn, HAS_OLD: cel.Type.BOOL})


@cache
def _functions() -> list[Any]:
    overloads: dict[str, list[Any]] = defaultdict(list)
    for module in (texts, lists, networks, quantities):
        for name, declared in module.FUNCTIONS:
            overloads[name] += declared
    return [cel.FunctionDecl(name, declared) for name, declared in overloads.items()]
