"""What the columns of several kinds share: ages, lists cut short, selectors and pod templates."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.apimachinery.manifest import Manifest
from shared.apimachinery.quantity import canonical_quantity
from shared.apiserver.age import age_of
from shared.apiserver.kinds import Column

NONE = "<none>"
UNSET = "<unset>"

Cell = Callable[[Manifest, datetime], Any]
Read = Callable[[Manifest], Any]


def column(name: str, read: Read, *, type_: str = "string", wide: bool = False) -> Column:
    """Build a column whose cell needs the object only."""
    return timed(name, lambda manifest, _: read(manifest), type_=type_, wide=wide)


def timed(name: str, cell: Cell, *, type_: str = "string", wide: bool = False) -> Column:
    """Build a column whose cell needs the present moment as well."""
    return Column(name=name, type=type_, priority=1 if wide else 0, cell=cell)


def number(name: str, *path: str) -> Column:
    """Build an integer column that shows 0 where the object says nothing."""
    return column(name, lambda manifest: dig(manifest, *path) or 0, type_="integer")


def field(name: str, *path: str, absent: Any = "", wide: bool = False) -> Column:
    """Build a text column for the value at *path*, or *absent*."""

    def read(manifest: Manifest) -> Any:
        found = dig(manifest, *path)
        return absent if found is None or found == "" else found

    return column(name, read, wide=wide)


AGE = timed(
    "Age", lambda manifest, now: age_of(dig(manifest, "metadata", "creationTimestamp"), now)
)
AGE_ONLY: tuple[Column, ...] = (AGE,)


def quantity(name: str, *path: str) -> Column:
    """Build a text column for the quantity at *path*, 0 where there is none."""
    return column(name, lambda manifest: quantity_text(dig(manifest, *path)))


def quantity_text(value: Any) -> str:
    """Write a quantity canonically; absent is nothing of it."""
    return "0" if value is None else canonical_quantity(value)


def name_or_default(*annotations: str) -> Column:
    """Build the name column of a class: one that an annotation makes the default says so."""

    def read(manifest: Manifest) -> str:
        found = dig(manifest, "metadata", "annotations") or {}
        is_default = any(found.get(name) == "true" for name in annotations)
        return str(dig(manifest, "metadata", "name")) + (" (default)" if is_default else "")

    return Column(name="Name", format="name", cell=lambda manifest, _: read(manifest))


def dig(value: Any, *path: str) -> Any:
    """Follow *path* through dicts; None as soon as it ends."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def items(value: Any, *path: str) -> Sequence[Any]:
    """Return the list at *path*, or an empty one."""
    return dig(value, *path) or ()


def replicas_of(manifest: Manifest) -> int:
    """Return the replicas asked for; absent means one."""
    wanted = dig(manifest, "spec", "replicas")
    return 1 if wanted is None else int(wanted)


def joined(values: Iterable[Any], *, most: int = 3, separator: str = ",") -> str:
    """Join the first *most* values and say how many more there are."""
    found = [str(value) for value in values]
    text = separator.join(found[:most])
    return f"{text} + {len(found) - most} more..." if len(found) > most else text


def title_boolean(value: Any) -> str:
    return UNSET if value is None else str(bool(value)).capitalize()


def labels_text(labels: Mapping[str, str] | None) -> str:
    """`a=1,b=2`, or `<none>`."""
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items())) or NONE


_OPERATORS = {"In": "{key} in ({values})", "NotIn": "{key} notin ({values})", "Exists": "{key}"}


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """As `requirements_text`, but `<none>` where the selector is empty or absent."""
    return requirements_text(selector) or NONE


def requirements_text(selector: Mapping[str, Any] | None) -> str:
    """Write a LabelSelector in the form of `kubectl -l`."""
    requirements = [
        (key, f"{key}={value}") for key, value in (dig(selector, "matchLabels") or {}).items()
    ]
    for expression in items(selector, "matchExpressions"):
        form = _OPERATORS.get(expression.get("operator"), "!{key}")
        values = ",".join(sorted(expression.get("values") or ()))
        requirements.append(
            (expression.get("key", ""), form.format(key=expression.get("key"), values=values))
        )
    return ",".join(text for _, text in sorted(requirements))


def containers_of(template: Any) -> str:
    return ",".join(str(one.get("name")) for one in items(template, "spec", "containers"))


def images_of(template: Any) -> str:
    return ",".join(str(one.get("image", "")) for one in items(template, "spec", "containers"))


def template_columns(*path: str) -> tuple[Column, Column]:
    """Build the wide columns for the containers and images of the pod template at *path*."""
    return (
        column("Containers", lambda manifest: containers_of(dig(manifest, *path)), wide=True),
        column("Images", lambda manifest: images_of(dig(manifest, *path)), wide=True),
    )


def condition_status(manifest: Manifest, type_: str) -> str | None:
    """Return the status of the condition *type_*, None where there is no such condition."""
    for condition in items(manifest, "status", "conditions"):
        if condition.get("type") == type_:
            return str(condition.get("status"))
    return None
