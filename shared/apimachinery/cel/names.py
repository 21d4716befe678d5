"""Names of properties as rules write them.

A property that is no identifier of the language, or a word of it, is written escaped:
`x-prop` as `x__dash__prop`, `namespace` as `__namespace__`. What cannot be escaped cannot be
named. Source: `k8s.io/apiserver/pkg/cel/escaping.go`.
"""

import re
from functools import lru_cache

_RESERVED = frozenset(
    ("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function")
) | {"if", "import", "let", "loop", "package", "namespace", "return", "var", "void", "while"}
_NAMEABLE = re.compile(r"[A-Za-z_./-][A-Za-z0-9_./-]*")
_SPECIAL = re.compile(r"__|[-./]")
_WRITTEN = {"__": "__underscores__", "-": "__dash__", ".": "__dot__", "/": "__slash__"}


@lru_cache(maxsize=4_096)
def escaped(name: str) -> str | None:
    """Return *name* as a rule writes it; None where no rule can."""
    if name in _RESERVED:
        return f"__{name}__"
    if _NAMEABLE.fullmatch(name) is None:
        return None
    return _SPECIAL.sub(lambda found: _WRITTEN[found[0]], name)
