"""Parts of built-in kinds that only a cluster with nodes and keys has: logs, shells, tokens.

Whoever asks for one gets a plain answer instead of a path that is not there, since to try
`kubectl logs` on a template is fair.
"""

from collections.abc import Mapping

from shared.apimachinery.manifest import GroupResource
from shared.apiserver.serving import Call, Serving
from shared.apiserver.status_errors import ApiFault, object_details, unknown_path
from shared.apiserver.verbs.listing import get_object

_CONTAINERS = "no containers run here; ask the cluster that runs them"
_NODES = "there is no network to nodes from here; ask the cluster that has them"
_TOKENS = "no tokens are issued here; ask the cluster that will check them"
_WHY: Mapping[GroupResource, Mapping[str, str]] = {
    GroupResource("", "pods"): {
        **dict.fromkeys(("attach", "exec", "log", "portforward", "proxy"), _CONTAINERS),
        **dict.fromkeys(("binding", "eviction", "resize"), _CONTAINERS),
    },
    GroupResource("", "nodes"): {"proxy": _NODES},
    GroupResource("", "services"): {"proxy": _NODES},
    GroupResource("", "serviceaccounts"): {"token": _TOKENS},
}


async def absent_part(serving: Serving, call: Call, part: str) -> ApiFault:
    """Return what to answer on *part* of an object, which is not served here."""
    resource = call.resource
    why = _WHY.get(resource, {}).get(part)
    if why is None:
        return unknown_path()
    # Of an object that there is not there is nothing else to say.
    await get_object(serving, call)
    message = f'{part} is not supported on resources of kind "{resource}": {why}'
    return ApiFault(405, message, details=object_details(resource, ""))
