"""What still holds a namespace that is being deleted, as its conditions say it. Pure.

Source: `pkg/controller/namespace/deletion/status_condition_utils.go`.
"""

from collections import Counter
from collections.abc import Iterable

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.apimachinery.parts import entries, section

# Type, reason and message where all is well; emptying fails in none of these ways here.
_SOUND = (
    (
        "NamespaceDeletionDiscoveryFailure",
        "ResourcesDiscovered",
        "All resources successfully discovered",
    ),
    (
        "NamespaceDeletionGroupVersionParsingFailure",
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    (
        "NamespaceDeletionContentFailure",
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
)
_EMPTY = ("NamespaceContentRemaining", "ContentRemoved", "All content successfully removed")
_FREE = (
    "NamespaceFinalizersRemaining",
    "ContentHasNoFinalizers",
    "All content-preserving finalizers finished",
)


def with_conditions(
    namespace: Manifest, left: Iterable[tuple[ObjectKey, Manifest]], *, now: str
) -> Manifest:
    """Return *namespace* with conditions that tell what is *left* in it, held by which finalizers.

    A condition that was so keeps the time since when.
    """
    before = {one.get("type"): one for one in entries(section(namespace, "status"), "conditions")}
    known = {*(one[0] for one in _SOUND), _EMPTY[0], _FREE[0]}
    others = [one for name, one in before.items() if name not in known]
    conditions = []
    for kind, status, reason, message in _found(left):
        was = before.get(kind, {})
        since = was.get("lastTransitionTime") if was.get("status") == status else None
        conditions.append(
            {
                "type": kind,
                "status": status,
                "lastTransitionTime": since or now,
                "reason": reason,
                "message": message,
            }
        )
    status_part = {**section(namespace, "status"), "conditions": [*others, *conditions]}
    return {**namespace, "status": status_part}


def _found(
    left: Iterable[tuple[ObjectKey, Manifest]],
) -> Iterable[tuple[str, str, str, str]]:
    resources: Counter[str] = Counter()
    finalizers: Counter[str] = Counter()
    for key, manifest in left:
        resources[f"{key.resource}.{key.group}"] += 1
        finalizers.update(set(manifest["metadata"].get("finalizers") or ()))
    for kind, reason, message in _SOUND:
        yield kind, "False", reason, message
    if resources:
        parts = [f"{name} has {count} resource instances" for name, count in _sorted(resources)]
        message = f"Some resources are remaining: {', '.join(parts)}"
        yield _EMPTY[0], "True", "SomeResourcesRemain", message
    else:
        yield _EMPTY[0], "False", *_EMPTY[1:]
    if finalizers:
        parts = [f"{name} in {count} resource instances" for name, count in _sorted(finalizers)]
        start = "Some content in the namespace has finalizers remaining"
        yield _FREE[0], "True", "SomeFinalizersRemain", f"{start}: {', '.join(parts)}"
    else:
        yield _FREE[0], "False", *_FREE[1:]


def _sorted(counted: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counted.items())
