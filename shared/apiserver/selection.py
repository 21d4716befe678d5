"""Which objects of a kind a request asks for: label and field selectors together. Pure."""

from dataclasses import dataclass

from shared.apimachinery.manifest import GroupResource
from shared.apimachinery.selectors import (
    FieldSelector,
    LabelSelector,
    parse_field_selector,
    parse_label_selector,
)
from shared.apiserver.field_values import NAME, NAMESPACE, refusal, value_of
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.serving import Shown, as_stored
from shared.apiserver.status_errors import bad_request
from shared.store.port import Change, ChangeType, Stored

_NOWHERE = GroupResource("", "")


@dataclass(frozen=True, slots=True)
class Selection:
    """None selects everything."""

    labels: LabelSelector | None = None
    fields: FieldSelector | None = None
    resource: GroupResource = _NOWHERE
    shown: Shown = as_stored
    """Readers select by what they see: by a default that is not stored, too."""

    @property
    def everything(self) -> bool:
        return self.labels is None and self.fields is None

    def matches(self, stored: Stored) -> bool:
        if self.labels is not None and not self.labels.matches(stored.labels):
            return False
        return self.fields is None or self._fields_match(self.fields, stored)

    def _fields_match(self, fields: FieldSelector, stored: Stored) -> bool:
        rest = []
        for one in fields.requirements:
            if one.path == NAME:
                found = stored.key.name
            elif one.path == NAMESPACE:
                found = stored.key.namespace
            else:
                rest.append(one)
                continue
            if (found == one.value) is not one.equal:
                return False
        if not rest:
            return True
        manifest = self.shown(self.resource, stored.glance())
        return all(
            (value_of(self.resource, one.path, manifest) == one.value) is one.equal for one in rest
        )

    @property
    def namespace(self) -> str | None:
        """The one namespace that can match, where the selector says so."""
        return self.fields.exact(NAMESPACE) if self.fields is not None else None


EVERYTHING = Selection()


def read_selection(
    kind: ResourceKind, labels: str, fields: str, shown: Shown = as_stored
) -> Selection:
    """Raise `ApiFault` 400 for a selector that cannot be read or names an unknown field."""
    if not labels and not fields:
        return EVERYTHING
    try:
        label_selector = parse_label_selector(labels) if labels else None
    except ValueError as err:
        raise bad_request(f"unable to parse requirement: {err}") from err
    try:
        field_selector = parse_field_selector(fields) if fields else None
    except ValueError as err:
        raise bad_request(str(err)) from err
    for requirement in field_selector.requirements if field_selector is not None else ():
        if why := refusal(kind, requirement.path):
            raise bad_request(why)
    # Text without a requirement (`,`) selects everything, as none at all does.
    if label_selector is not None and not label_selector.requirements:
        label_selector = None
    if field_selector is not None and not field_selector.requirements:
        field_selector = None
    return Selection(label_selector, field_selector, kind.group_resource, shown)


def seen_change(change: Change, selection: Selection) -> tuple[ChangeType, Stored] | None:
    """What a watcher with *selection* sees of *change*: an object may come and go by matching.

    One that stops matching is DELETED in the state it last matched in, at the new revision.
    """
    if selection.everything:
        return change.type, change.stored
    previous = change.previous
    was = previous is not None and selection.matches(previous)
    if change.type is ChangeType.DELETED:
        if was or (previous is None and selection.matches(change.stored)):
            return ChangeType.DELETED, change.stored
        return None
    if selection.matches(change.stored):
        return (ChangeType.MODIFIED if was else ChangeType.ADDED), change.stored
    if not was:
        return None
    assert previous is not None
    last = previous.glance()
    metadata = {**last["metadata"], "resourceVersion": str(change.stored.revision)}
    gone = Stored(previous.key, change.stored.revision, {**last, "metadata": metadata})
    return ChangeType.DELETED, gone
