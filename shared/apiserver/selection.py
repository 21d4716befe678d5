"""Which objects of a kind a request asks for: label and field selectors together. Pure."""

from dataclasses import dataclass

from shared.apimachinery.manifest import Manifest, labels_of
from shared.apimachinery.selectors import (
    FieldSelector,
    LabelSelector,
    parse_field_selector,
    parse_label_selector,
)
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.status_errors import bad_request
from shared.store.port import Change, ChangeType, Stored

_ALWAYS_SELECTABLE = frozenset({"metadata.name", "metadata.namespace"})


@dataclass(frozen=True, slots=True)
class Selection:
    """None selects everything."""

    labels: LabelSelector | None = None
    fields: FieldSelector | None = None

    @property
    def everything(self) -> bool:
        return self.labels is None and self.fields is None

    def matches(self, manifest: Manifest) -> bool:
        return (self.labels is None or self.labels.matches(labels_of(manifest))) and (
            self.fields is None or self.fields.matches(manifest)
        )

    @property
    def name(self) -> str | None:
        """The one name that can match, where the selector says so."""
        return self.fields.exact("metadata.name") if self.fields is not None else None


EVERYTHING = Selection()


def read_selection(kind: ResourceKind, labels: str, fields: str) -> Selection:
    """Raise `ApiFault` 400 for a selector that cannot be read or names an unknown field."""
    if not labels and not fields:
        return EVERYTHING
    try:
        found = Selection(
            parse_label_selector(labels) if labels else None,
            parse_field_selector(fields) if fields else None,
        )
    except ValueError as err:
        raise bad_request(f"unable to parse requirement: {err}") from err
    if found.fields is not None:
        allowed = _ALWAYS_SELECTABLE.union(path.lstrip(".") for path in kind.selectable_fields)
        for requirement in found.fields.requirements:
            if requirement.path not in allowed:
                raise bad_request(f"field label not supported: {requirement.path[:100]}")
    return found


def seen_change(change: Change, selection: Selection) -> tuple[ChangeType, Stored] | None:
    """What a watcher with *selection* sees of *change*: an object may come and go by matching.

    One that stops matching is DELETED in the state it last matched in, at the new revision.
    """
    if selection.everything:
        return change.type, change.stored
    previous = change.previous
    was = previous is not None and selection.matches(previous.manifest)
    if change.type is ChangeType.DELETED:
        if was or (previous is None and selection.matches(change.stored.manifest)):
            return ChangeType.DELETED, change.stored
        return None
    if selection.matches(change.stored.manifest):
        return (ChangeType.MODIFIED if was else ChangeType.ADDED), change.stored
    if not was:
        return None
    assert previous is not None
    metadata = {**previous.manifest["metadata"], "resourceVersion": str(change.stored.revision)}
    last = {**previous.manifest, "metadata": metadata}
    return ChangeType.DELETED, Stored(previous.key, change.stored.revision, last)
