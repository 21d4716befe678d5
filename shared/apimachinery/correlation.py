"""What a part of an object was before: found by its place, in lists that are maps by its keys.

Parts of atomic lists and of sets have no identity over time: they are unchanged only where the
whole list is. Source: KEP-4008, `k8s.io/apiserver/pkg/cel/common`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from shared.apimachinery.manifest import encode
from shared.apimachinery.schema import Schema


class Earlier:
    """The former value at one place, if it is `known`."""

    __slots__ = ("_same", "known", "value")

    def __init__(self, value: Any, *, known: bool = True, same: bool = False) -> None:
        """*same*: something around this place did not change, hence neither did this."""
        self.value = value
        self.known = known
        self._same = same

    def is_same(self, value: Any) -> bool:
        """Whether *value*, the present one here, is what was here before."""
        if not self._same and self.known:
            self._same = is_equal(self.value, value)
        return self._same

    def field(self, name: str, value: Any) -> "Earlier":
        """Return what the field *name*, now *value*, was."""
        if self._same:
            return Earlier(value, same=True) if self.known else self
        if self.known and isinstance(self.value, dict) and name in self.value:
            return Earlier(self.value[name])
        return NOTHING

    def items(self, now: Sequence[Any], schema: Schema) -> Iterator[tuple[Any, "Earlier"]]:
        """Yield each element of the list *now* with what it was."""
        before = self.value if self.known and isinstance(self.value, list) else []
        if not before or schema.list_type != "map":
            unchanged = Earlier(None, known=False, same=self.is_same(now)) if before else NOTHING
            yield from ((one, unchanged) for one in now)
            return
        known = {keys: one for one in before if (keys := keys_of(one, schema)) is not None}
        for one in now:
            keys = keys_of(one, schema)
            found = known.get(keys) if keys is not None else None
            yield one, NOTHING if found is None else Earlier(found)


NOTHING = Earlier(None, known=False)


def keys_of(item: Any, schema: Schema) -> bytes | None:
    """Return what tells *item* from the others of a list that is a map; None for no object."""
    if not isinstance(item, dict):
        return None
    return encode({key: item.get(key, schema.key_defaults.get(key)) for key in schema.map_keys})


def is_equal(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, where `true` is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_equal(v, other[k]) for k, v in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_equal, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
