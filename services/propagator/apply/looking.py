"""Looking at an object in the member itself, where what the watch shows is not enough."""

from services.propagator.apply.objects import TrackedObject
from services.propagator.core.observed import observe
from shared.apimachinery.manifest import Manifest
from shared.memberapi.port import MemberApi


async def look_at(api: MemberApi, tracked: TrackedObject) -> Manifest | None:
    """Get the object itself, which settles every doubt raised before, and none raised since."""
    assert tracked.kind is not None
    before, tracked.doubted = tracked.doubted, False
    try:
        live = await api.get(tracked.kind, tracked.key.namespace, tracked.key.name)
    except BaseException:
        tracked.doubted = tracked.doubted or before
        raise
    tracked.seen = observe(live) if live is not None else None
    return live
