"""Events of events.k8s.io/v1 as those of core/v1, which are stored, and back. Pure.

Source: `k8s.io/kubernetes/pkg/apis/events/v1/conversion.go`. Both groups speak of the same objects.
"""

from shared.apimachinery.manifest import Manifest

_CORE, _EVENTS = "v1", "events.k8s.io/v1"
# What the newer version calls what the older one has.
_NAMES = {
    "regarding": "involvedObject",
    "note": "message",
    "reportingController": "reportingComponent",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
}
_NEWER = {older: newer for newer, older in _NAMES.items()}


def to_core(event: Manifest) -> Manifest:
    """An Event of events.k8s.io/v1 as one of core/v1."""
    if event.get("apiVersion") != _EVENTS:
        return event
    named = {_NAMES.get(name, name): value for name, value in event.items()}
    return {**named, "apiVersion": _CORE}


def to_events(event: Manifest) -> Manifest:
    """An Event of core/v1 as one of events.k8s.io/v1."""
    if event.get("apiVersion") != _CORE:
        return event
    named = {_NEWER.get(name, name): value for name, value in event.items()}
    return {**named, "apiVersion": _EVENTS}
