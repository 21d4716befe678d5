"""What a template says of itself, by annotations, where its policy says another thing."""

from shared.api.policy import ConflictResolution
from shared.apimachinery.manifest import Manifest, annotations_of

CONFLICT_RESOLUTION = "hanse.dev/conflict-resolution"
"""Annotation: what happens to an object of a member's own that bears the name of this one."""
KARMADAS_CONFLICT_RESOLUTION = "work.karmada.io/conflict-resolution"
"""The same, as Karmada writes it: `overwrite` or `abort`."""

_WORDS: dict[str, ConflictResolution] = {
    "Abort": "Abort",
    "Overwrite": "Overwrite",
    "IfNoDiff": "IfNoDiff",
}
_KARMADAS: dict[str, ConflictResolution] = {"abort": "Abort", "overwrite": "Overwrite"}


def own_conflict_resolution(template: Manifest) -> ConflictResolution | None:
    """Return the template's own word; None where it has none that means anything."""
    annotations = annotations_of(template)
    if (word := annotations.get(CONFLICT_RESOLUTION)) is not None:
        return _WORDS.get(word)
    return _KARMADAS.get(annotations.get(KARMADAS_CONFLICT_RESOLUTION, ""))


def senseless_words(template: Manifest) -> dict[str, str]:
    """Return why annotations that Hanse would read mean nothing, by their names."""
    word = annotations_of(template).get(CONFLICT_RESOLUTION)
    if word is None or word in _WORDS:
        return {}
    return {CONFLICT_RESOLUTION: f'"{word}" is none of {", ".join(_WORDS)}'}
