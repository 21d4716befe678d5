"""What the API server of a simulated cluster fills in when an object is written.

Defaulting what is already defaulted changes nothing, and no argument is changed.
"""

from services.simulator.core.plan import NAMESPACES, PODS
from services.simulator.core.pods import admitted_spec
from shared.apimachinery import defaults
from shared.apimachinery.manifest import GroupResource, Manifest, labels_of, name_of

DEFAULTED = frozenset({*defaults.DEFAULTED, NAMESPACES})
"""The resources that `with_defaults` may change."""


def with_defaults(resource: GroupResource, manifest: Manifest) -> Manifest:
    """Return *manifest* as the API server would store it."""
    if resource == NAMESPACES:
        label = {"kubernetes.io/metadata.name": name_of(manifest)}
        labels = {**labels_of(manifest), **label}
        return {**manifest, "metadata": {**manifest["metadata"], "labels": labels}}
    filled = defaults.with_spec_defaults(resource, manifest)
    if resource == PODS:
        return {**filled, "spec": admitted_spec(filled["spec"])}
    return filled
