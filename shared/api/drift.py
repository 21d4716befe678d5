"""What is told of drift: of one field, and of one object in one member."""

from typing import Literal

from shared.api.meta import Struct

FIELDS_SHOWN_MAX = 5


class DriftedField(Struct, frozen=True, kw_only=True):
    """`path` as Kubernetes names fields in conflicts: `.spec.containers[name="web"].image`.

    `actor` is the field manager that holds it now, with its `operation` (Apply or Update) and the
    time (RFC 3339) it last wrote; all empty where it was removed, for then nobody holds it.
    `ordered` and `found` are the values as JSON, cut where they are long; those of a Secret are
    never told.
    """

    path: str
    actor: str = ""
    operation: str = ""
    time: str = ""
    ordered: str = ""
    found: str = ""


class DriftReport(Struct, frozen=True, kw_only=True):
    """Drift that stands. Reported: the policy leaves it. Contested: it keeps coming back.

    `since` is when it was first seen, to the second; `more` counts the fields that are not listed.
    """

    state: Literal["Reported", "Contested"]
    change: Literal["Edited", "Deleted"] = "Edited"
    since: str
    fields: tuple[DriftedField, ...] = ()
    more: int = 0

    @property
    def text(self) -> str:
        """What a condition says of it."""
        if self.change == "Deleted":
            return f"deleted, since {self.since}"
        fields = [
            f"{one.path} {one.ordered} -> {one.found or '(removed)'}"
            + (f" by {one.actor}" if one.actor else "")
            for one in self.fields
        ]
        if self.more:
            fields.append(f"{self.more} more")
        return f"{', '.join(fields) or 'changed'}, since {self.since}"
