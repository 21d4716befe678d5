"""Labels and annotations that an export asks its imports to bear, as far as they can (pure).

The standard's schema takes any text for them. One that no object may bear would have every member
refuse the import, of all other exporters' endpoints too, so it is left out and named.
"""

from collections.abc import Mapping

from shared.apimachinery import texts

_TOTAL_MAX = 128 * 1024
"""Of annotations in bytes, and of labels: half of what an object may have of the former."""
_OURS = ("hanse.dev/", "multicluster.kubernetes.io/")
_NOT_MEANT = "kubectl.kubernetes.io/last-applied-configuration"


def exported_labels(asked: Mapping[str, str]) -> dict[str, str]:
    """Those of *asked* that an object may bear; none where together they are too much."""
    return _bounded(
        {
            key: value
            for key, value in asked.items()
            if _is_free(key) and not texts.label_key(key) and not texts.label_value(value)
        }
    )


def exported_annotations(asked: Mapping[str, str]) -> dict[str, str]:
    """Those of *asked* that an object may bear; none where together they are too much."""
    return _bounded(
        {
            key: value
            for key, value in asked.items()
            if _is_free(key) and not texts.label_key(key.lower())
        }
    )


def left_out(labels: Mapping[str, str], annotations: Mapping[str, str]) -> tuple[str, ...]:
    """Name what no import bears, in order."""
    return (
        *sorted(f"label {key!r}" for key in labels.keys() - exported_labels(labels).keys()),
        *sorted(
            f"annotation {key!r}"
            for key in annotations.keys() - exported_annotations(annotations).keys()
        ),
    )


def _bounded(found: dict[str, str]) -> dict[str, str]:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in found.items())
    return found if size <= _TOTAL_MAX else {}


def _is_free(key: str) -> bool:
    """Whether it says nothing that those who keep imports have to say themselves."""
    return not key.startswith(_OURS) and key != _NOT_MEANT
