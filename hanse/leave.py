"""Ending a membership: the registration goes at once, whether or not the member still answers.

What runs in the member runs on, under nobody's care: it is the administrator's again. To have it
moved away first, taint the cluster (`spec.taints`, effect NoExecute) and wait until nothing of
it is listed by `kubectl get works`. The registry removes the credentials; the scheduler places
the shares elsewhere.
"""

from hanse.join import CLUSTERS
from shared.apimachinery.manifest import uid_of
from shared.memberapi.port import MemberApi


async def leave(hub: MemberApi, name: str) -> bool:
    """Delete the `Cluster`; False if there is none of that name. Never calls the member."""
    found = await hub.get(CLUSTERS, "", name)
    if found is None:
        return False
    return await hub.delete(CLUSTERS, "", name, uid=uid_of(found), propagation="Background")
