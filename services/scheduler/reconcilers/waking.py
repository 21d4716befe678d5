"""What a change of any object wakes by itself: the template it may be."""

from collections.abc import Iterable

from services.scheduler.core.change.triggers import template_changed
from services.scheduler.core.policies import may_be_template
from shared.apimachinery.manifest import ObjectKey
from shared.store.port import Change, ChangeType


def template_keys(change: Change) -> Iterable[ObjectKey]:
    """Name the template that a change of any object wakes: itself, if it may be one."""
    key = change.stored.key
    if not may_be_template(key):
        return ()
    before = change.previous
    if change.only_status:
        return ()
    if change.type is ChangeType.MODIFIED and before is not None:
        return (key,) if template_changed(before.glance(), change.stored.glance()) else ()
    return (key,)
