"""Which workloads have rules about being with others, or away from them, that speak of these."""

from collections.abc import Iterable

from services.scheduler.cache.placed import PlacedTemplates
from services.scheduler.core.company import concerns_company
from shared.apimachinery.manifest import ObjectKey
from shared.store.port import Change, ChangeType, Mirror


def companions(
    mirror: Mirror, placed: PlacedTemplates, templates: Iterable[ObjectKey]
) -> set[ObjectKey]:
    """Return the workloads whose affinity speaks of one of *templates*."""
    found = set()
    for template in templates:
        mine = mirror.get(template)
        for key in placed.choosy_within(template.namespace):
            entry, other = placed.entry(key), mirror.get(key)
            rules = entry.placement.workload_affinity if entry is not None else None
            if rules is None or other is None or key == template:
                continue
            # Of one that is gone nobody knows the labels.
            if mine is None or concerns_company(rules, other.labels, mine.labels):
                found.add(key)
    return found


def relabelled(mirror: Mirror, placed: PlacedTemplates, change: Change) -> set[ObjectKey]:
    """Return the workloads whose affinity speaks of an object that has other labels than before.

    Of an object that came or went its binding tells.
    """
    key, before = change.stored.key, change.previous
    choosy = placed.choosy_within(key.namespace)
    if not choosy or before is None or change.type is not ChangeType.MODIFIED:
        return set()
    old, new = before.labels, change.stored.labels
    if old == new or placed.entry(key) is None:
        return set()
    found = set()
    for other in choosy:
        entry, stored = placed.entry(other), mirror.get(other)
        rules = entry.placement.workload_affinity if entry is not None else None
        if rules is None or stored is None or other == key:
            continue
        labels = stored.labels
        if concerns_company(rules, labels, old) or concerns_company(rules, labels, new):
            found.add(other)
    return found
