"""Variables of a cluster in texts: `${cluster.region}` and its kin (ADR 14).

The dot keeps them apart from what shells, `envsubst` and Kubernetes expand themselves (`$HOST`,
`${HOST}`, `$(HOST)`), none of which allows one in a name, and from `{{ }}` of charts. Whoever
needs the text itself doubles the dollar: `$${cluster.name}` becomes `${cluster.name}`.
"""

import re
from collections.abc import Iterator

from shared.api.cluster import Cluster
from shared.apimachinery.selectors import check_label_key

MARK = "${cluster."
NAMES = ("name", "region", "zone", "provider")
LABEL = "labels."

# The closing brace is optional so that one forgotten is found out.
_VARIABLE = re.compile(r"(\$?)\$\{cluster\.([^}]*)(\}?)")


class UnusableVariable(ValueError):
    """A variable that is not there, or that the cluster has no value for."""


def variables_in(text: str) -> Iterator[str]:
    """Yield the names (`region`, `labels.tier`) used in *text*, escaped ones aside.

    Raises `UnusableVariable` at one that no cluster can have.
    """
    if MARK not in text:
        return
    for escaped, name, closed in _VARIABLE.findall(text):
        if not escaped:
            _check(name, closed)
            yield name


def expand(text: str, cluster: Cluster) -> str:
    """Return *text* with each variable replaced; raises `UnusableVariable`, never leaves a gap."""
    if MARK not in text:
        return text

    def replace(found: re.Match[str]) -> str:
        escaped, name, closed = found.groups()
        if escaped:
            return found[0][1:]
        _check(name, closed)
        value = value_of(cluster, name)
        if not value:
            raise UnusableVariable(f"{MARK}{name}}}: {_missing(cluster, name)}")
        return value

    return _VARIABLE.sub(replace, text)


def value_of(cluster: Cluster, name: str) -> str:
    """The value of a variable by its name after `cluster.`; "" where the cluster has none."""
    if name.startswith(LABEL):
        return cluster.metadata.labels.get(name.removeprefix(LABEL), "")
    if name == "name":
        return cluster.metadata.name
    return str(getattr(cluster.spec, name)) if name in NAMES else ""


def _check(name: str, closed: str) -> None:
    shown = f"{MARK}{name[:100]}{closed}"
    if not closed:
        raise UnusableVariable(f"{shown}: the closing brace is missing")
    if name in NAMES:
        return
    if not name.startswith(LABEL):
        known = ", ".join((*NAMES, f"{LABEL}KEY"))
        raise UnusableVariable(f"{shown}: there is no such variable; a cluster has {known}")
    try:
        check_label_key(name.removeprefix(LABEL))
    except ValueError as err:
        raise UnusableVariable(f"{shown}: {err}") from err


def _missing(cluster: Cluster, name: str) -> str:
    what = f"label {name.removeprefix(LABEL)}" if name.startswith(LABEL) else name
    return f"cluster {cluster.metadata.name} has no {what}"
