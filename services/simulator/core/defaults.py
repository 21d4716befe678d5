"""What the API server of a simulated cluster fills in when an object is written.

Defaulting what is already defaulted changes nothing, and no argument is changed.
"""

from services.simulator.core.plan import PODS
from services.simulator.core.pods import admitted_spec
from shared.apimachinery import defaults
from shared.apimachinery.manifest import GroupResource, Manifest


def with_defaults(resource: GroupResource, manifest: Manifest) -> Manifest:
    """Return *manifest* as the API server would store it."""
    filled = defaults.with_defaults(resource, manifest)
    if resource == PODS:
        return {**filled, "spec": admitted_spec(filled["spec"])}
    return filled
