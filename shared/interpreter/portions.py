"""What a cluster's share of an object is beside replicas: a Job's completions, ordinals of pods.

KEP-3335 brought `spec.ordinals.start` to StatefulSets. A Job that counts its indexes cannot be
shared between clusters, for each would begin with index 0.
"""

from typing import Any, NamedTuple

from shared.apimachinery.manifest import GroupVersionKind, Manifest, copy

_JOB = ("batch", "Job")
_STATEFUL_SET = ("apps", "StatefulSet")


class Portions(NamedTuple):
    """What of the object is to be divided; None where there is nothing of the sort."""

    completions: int | None = None
    ordinals_start: int | None = None
    indivisible: bool = False


NOTHING = Portions()


def portions_of(manifest: Manifest) -> Portions:
    """Read what *manifest* says; what cannot be read is not there."""
    gvk = GroupVersionKind.of(manifest)
    spec: Any = manifest.get("spec")
    if not isinstance(spec, dict):
        return NOTHING
    if (gvk.group, gvk.kind) == _JOB:
        indexed = spec.get("completionMode") == "Indexed"
        completions = spec.get("completions")
        known = isinstance(completions, int) and not isinstance(completions, bool)
        return Portions(completions if known and not indexed else None, indivisible=indexed)
    if (gvk.group, gvk.kind) == _STATEFUL_SET:
        ordinals = spec.get("ordinals")
        start = ordinals.get("start") if isinstance(ordinals, dict) else None
        return Portions(ordinals_start=start if isinstance(start, int) else 0)
    return NOTHING


def with_portions(
    manifest: Manifest, completions: int | None, ordinals_start: int | None
) -> Manifest:
    """Return *manifest* with a cluster's portions: as it is where they say nothing else."""
    stated = portions_of(manifest)
    if completions is not None and completions != stated.completions:
        manifest = copy(manifest)
        manifest["spec"]["completions"] = completions
    if ordinals_start is not None and ordinals_start != stated.ordinals_start:
        manifest = copy(manifest)
        manifest["spec"]["ordinals"] = {"start": ordinals_start}
    return manifest
