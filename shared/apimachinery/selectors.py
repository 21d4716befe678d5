"""Label and field selectors: from API objects and from query strings, and whether they match.

Grammar and meaning are those of `k8s.io/apimachinery/pkg/labels` and `.../fields`: NotIn and `!=`
also match where the label is absent; an empty selector matches everything (a *missing* one is
the caller's business).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from shared.apimachinery.short_cache import cached_when_short

_KEY_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_KEY_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")

_OPERATORS = {"In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"}
_API_OPERATORS = {"In", "NotIn", "Exists", "DoesNotExist"}


class ExpressionStruct(Protocol):
    """`metav1.LabelSelectorRequirement` as a struct of Hanse's."""

    @property
    def key(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def values(self) -> Sequence[str]: ...


class SelectorStruct(Protocol):
    """`metav1.LabelSelector` as a struct of Hanse's."""

    @property
    def match_labels(self) -> Mapping[str, str]: ...
    @property
    def match_expressions(self) -> Sequence[ExpressionStruct]: ...


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label; build it with `require`, which checks it."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        found = labels.get(self.key)
        if self.operator == "In":
            return found is not None and found in self.values
        if self.operator == "NotIn":
            return found is None or found not in self.values
        if self.operator == "Exists":
            return found is not None
        if self.operator == "DoesNotExist":
            return found is None
        return self._compares(found)

    def _compares(self, found: str | None) -> bool:
        try:
            number, bound = int(found or ""), int(next(iter(self.values)))
        except ValueError:
            return False
        return number > bound if self.operator == "Gt" else number < bound


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; none at all is everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(requirement.matches(labels) for requirement in self.requirements)


EVERYTHING = LabelSelector()


def require(key: str, operator: str, values: Sequence[str] = ()) -> Requirement:
    """Check and build one requirement; raises ValueError."""
    check_label_key(key)
    if operator not in _OPERATORS:
        raise ValueError(f"{operator!r} is not a label selector operator")
    if operator in ("In", "NotIn") and not values:
        raise ValueError(f"label {key!r}: values are required with {operator}")
    if operator in ("Exists", "DoesNotExist") and values:
        raise ValueError(f"label {key!r}: values are not allowed with {operator}")
    if operator in ("Gt", "Lt") and (len(values) != 1 or not _is_integer(values[0])):
        raise ValueError(f"label {key!r}: {operator} takes exactly one integer")
    for value in values:
        check_label_value(value)
    return Requirement(key, operator, frozenset(values))


def _is_integer(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]{1,19}", text) is not None


def check_label_key(key: str) -> None:
    """Raise ValueError unless *key* is a qualified name: `[prefix/]name`."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _KEY_PREFIX.fullmatch(prefix)):
        raise ValueError(f"label key {key[:300]!r}: the part before the slash is no DNS subdomain")
    if len(name) > 63 or not _KEY_NAME.fullmatch(name):
        raise ValueError(
            f"label key {key[:300]!r}: the name must be 1 to 63 letters, digits, '-', '_' or '.', "
            "and begin and end with a letter or digit"
        )


def check_label_value(value: str) -> None:
    """Raise ValueError unless *value* is empty or a name of at most 63 characters."""
    if value and (len(value) > 63 or not _KEY_NAME.fullmatch(value)):
        raise ValueError(
            f"label value {value[:100]!r}: must be empty or up to 63 letters, digits, '-', '_' "
            "or '.', and begin and end with a letter or digit"
        )


def from_struct(selector: SelectorStruct) -> LabelSelector:
    """From `matchLabels` and `matchExpressions` of a struct; raises ValueError."""
    return _from_parts(
        selector.match_labels,
        [(one.key, one.operator, one.values) for one in selector.match_expressions],
    )


def from_manifest(selector: Mapping[str, Any]) -> LabelSelector:
    """From a manifest's `{matchLabels, matchExpressions}`; raises ValueError."""
    labels = selector.get("matchLabels") or {}
    expressions = selector.get("matchExpressions") or []
    if not isinstance(labels, Mapping) or not isinstance(expressions, Sequence):
        raise ValueError("matchLabels must be an object and matchExpressions a list")  # noqa: TRY004
    parts = []
    for one in expressions:
        if not isinstance(one, Mapping):
            raise ValueError("each of matchExpressions must be an object")  # noqa: TRY004
        parts.append((str(one.get("key", "")), str(one.get("operator", "")), one.get("values")))
    return _from_parts(labels, parts)


def _from_parts(
    labels: Mapping[str, str], expressions: Sequence[tuple[str, str, Sequence[str] | None]]
) -> LabelSelector:
    found = [require(key, "In", (str(value),)) for key, value in labels.items()]
    for key, operator, values in expressions:
        if operator not in _API_OPERATORS:
            raise ValueError(f"label {key!r}: {operator!r} is not one of In, NotIn, Exists, ...")
        found.append(require(key, operator, tuple(str(value) for value in values or ())))
    return LabelSelector(tuple(found))


def from_map(labels: Mapping[str, str]) -> LabelSelector:
    """From a plain map, as in a Service or a ReplicationController; raises ValueError."""
    return _from_parts(labels, [])


# What a query string is made of: operators, separators, words.
_TOKEN = re.compile(r"\s*(?:(?P<sign>==|!=|=|!|,|\(|\)|>|<)|(?P<word>[^\s=!,()<>]+))")
_SIGN_OPERATORS = {"=": "In", "==": "In", "!=": "NotIn", ">": "Gt", "<": "Lt"}
_END = ""


class _Reader:
    """A cursor over the tokens of one query string."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens: list[tuple[str, bool]] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            found = _TOKEN.match(text, position)
            assert found is not None, "every character but white space begins a token"
            word = found["word"]
            self._tokens.append((word or found["sign"], word is not None))
            position = found.end()
        self._next = 0

    def peek(self) -> tuple[str, bool]:
        return self._tokens[self._next] if self._next < len(self._tokens) else (_END, False)

    def take(self) -> tuple[str, bool]:
        token = self.peek()
        self._next += 1
        return token

    def accept(self, sign: str) -> bool:
        if self.peek() == (sign, False):
            self._next += 1
            return True
        return False

    def fail(self, expected: str) -> ValueError:
        found = self.peek()[0] or "the end"
        return ValueError(f"label selector {self.text!r}: found {found!r}, expected {expected}")

    def word(self, expected: str) -> str:
        token, is_word = self.peek()
        if not is_word:
            raise self.fail(expected)
        self._next += 1
        return token


@cached_when_short(2_048)
def parse_label_selector(text: str) -> LabelSelector:
    """Read `a=b,c in (x,y),!d,e!=f,g,h>1`; raises ValueError."""
    reader = _Reader(text)
    found: list[Requirement] = []
    while reader.peek()[0] != _END:
        found.append(_read_requirement(reader))
        if reader.peek()[0] == _END:
            break
        if not reader.accept(","):
            raise reader.fail("',' or the end")
        if reader.peek()[0] == _END:
            raise reader.fail("a label key after ','")
    return LabelSelector(tuple(found))


def _read_requirement(reader: _Reader) -> Requirement:
    if reader.accept("!"):
        return require(reader.word("a label key after '!'"), "DoesNotExist")
    key = reader.word("a label key")
    token, is_word = reader.peek()
    if token in (_END, ","):
        return require(key, "Exists")
    if is_word and token in ("in", "notin"):
        reader.take()
        return require(key, "In" if token == "in" else "NotIn", _read_values(reader))
    if not is_word and token in _SIGN_OPERATORS:
        reader.take()
        # `a=` asks for the empty value.
        value = reader.take()[0] if reader.peek()[1] else ""
        return require(key, _SIGN_OPERATORS[token], (value,))
    raise reader.fail("one of =, ==, !=, in, notin, >, <")


def _read_values(reader: _Reader) -> list[str]:
    if not reader.accept("("):
        raise reader.fail("'('")
    values = []
    while True:
        values.append(reader.take()[0] if reader.peek()[1] else "")
        if reader.accept(")"):
            return values
        if not reader.accept(","):
            raise reader.fail("',' or ')'")


@dataclass(frozen=True, slots=True)
class FieldRequirement:
    """`path` is dotted, as in `metadata.name`; `equal` False is `!=`."""

    path: str
    value: str
    equal: bool = True


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """All requirements must hold. Which paths a kind supports is the caller's to check."""

    requirements: tuple[FieldRequirement, ...] = ()

    def matches(self, manifest: Mapping[str, Any]) -> bool:
        """An absent field counts as the empty text, as it does in Kubernetes."""
        return all(
            (field_text(manifest, one.path) == one.value) is one.equal for one in self.requirements
        )

    def exact(self, path: str) -> str | None:
        """The value that *path* must have, where the selector says so."""
        return next(
            (one.value for one in self.requirements if one.path == path and one.equal), None
        )


def field_text(manifest: Mapping[str, Any], path: str) -> str:
    """Return the text of the scalar at a dotted path; "" where there is none."""
    place: Any = manifest
    for part in path.split("."):
        place = place.get(part) if isinstance(place, Mapping) else None
    if isinstance(place, bool):
        return "true" if place else "false"
    return str(place) if isinstance(place, str | int | float) else ""


@cached_when_short(2_048)
def parse_field_selector(text: str) -> FieldSelector:
    """Read `metadata.name=web,status.phase!=Running`; a backslash escapes `,`, `=` and itself.

    Raises ValueError.
    """
    found = [_read_field(term, text) for term in _split_terms(text) if term]
    return FieldSelector(tuple(found))


def _split_terms(text: str) -> list[str]:
    return re.findall(r"(?:\\.|[^,\\]|\\$)+", text, re.DOTALL)


def _read_field(term: str, text: str) -> FieldRequirement:
    found = re.match(r"(?P<path>(?:\\.|[^=!\\])*)(?P<sign>==|!=|=)(?P<value>.*)", term, re.DOTALL)
    if found is None or not found["path"].strip():
        raise ValueError(f"invalid selector: '{text[:200]}'; can't understand '{term[:200]}'")
    value = found["value"]
    if re.fullmatch(r"(?:\\[\\,=]|[^\\=])*", value, re.DOTALL) is None:
        raise ValueError(
            f"invalid field selector: '=' and '\\' in a value must follow a '\\': '{term[:200]}'"
        )
    plain = re.sub(r"\\(.)", r"\1", value, flags=re.DOTALL)
    return FieldRequirement(found["path"].strip(), plain, equal=found["sign"] != "!=")
