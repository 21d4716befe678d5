"""Whether an autoscaler of the member sets an object's replicas: then they are its office.

The member's field ownership tells that one did, but not that it still does: when the autoscaler is
gone its mark stays behind, and the share that was decided must hold again. So wherever the mark is
seen, the member is asked.
"""

from typing import Any

from shared.apimachinery.manifest import GroupVersionKind
from shared.errors import MemberRefused
from shared.memberapi.port import MemberApi, ResourceType

_AUTOSCALERS = ResourceType(
    GroupVersionKind("autoscaling", "v2", "HorizontalPodAutoscaler"),
    "horizontalpodautoscalers",
    namespaced=True,
)


async def is_autoscaled(api: MemberApi, kind: ResourceType, namespace: str, name: str) -> bool:
    """Whether any HorizontalPodAutoscaler targets the object; raises where the member is away."""
    try:
        listing = await api.list(_AUTOSCALERS, namespace=namespace)
    except MemberRefused as err:
        # Not served: there is none. Anything else: believe the mark.
        return err.status != 404
    return any(_targets(item.get("spec") or {}, kind, name) for item in listing.items)


def _targets(spec: dict[str, Any], kind: ResourceType, name: str) -> bool:
    target = spec.get("scaleTargetRef") or {}
    group, _, _ = str(target.get("apiVersion") or "").rpartition("/")
    return (group, target.get("kind"), target.get("name")) == (kind.gvk.group, kind.gvk.kind, name)
