"""What the NATS micro service `hanse` is asked; answers are Kubernetes objects as JSON.

Errors come as the micro protocol has them (`Nats-Service-Error-Code` is the HTTP code), with the
`Status` object as body.
"""

import msgspec

from shared.apimachinery.manifest import Manifest
from shared.events.commands import ObjectAddress

SERVICE = "hanse"
VERSION = "0.1.0"
API_GET = "hanse.api.get"
API_LIST = "hanse.api.list"
API_APPLY = "hanse.api.apply"
API_DELETE = "hanse.api.delete"
API_DEAD_LIST = "hanse.api.deadletters.list"
API_DEAD_RETRY = "hanse.api.deadletters.retry"
"""Answered by what `shared/events/dead_letters.py` says."""
API_HEALTH = "hanse.api.health"
"""Answered by a `FleetHealth` (`shared/events/fleet_health.py`)."""
API_RENDER = "hanse.api.render"
"""Answered by a `Rendering` (`shared/events/rendering.py`)."""
API_EXPLAIN = "hanse.api.explain"
"""Answered by an `Explanation` (`shared/events/explaining.py`)."""
API_PLAN = "hanse.api.plan"
"""Answered by a `Plan` (`shared/events/planning.py`)."""
API_SCORES = "hanse.api.scores"
"""Answered by a `ScoreList` (`shared/events/score_list.py`)."""

API_TRAFFIC = "hanse.api.traffic"
"""Answered by a `TrafficFeed` (`shared/events/traffic.py`)."""
API_TRAFFIC_EXPLAIN = "hanse.api.traffic.explain"
"""The same request, answered by `TrafficExplanations`."""
API_TRAFFIC_RENDER = "hanse.api.traffic.render"
"""A `TrafficRenderRequest`, answered by a `TrafficRendering`."""
API_TRAFFIC_REPORT = "hanse.api.traffic.report"
"""What a load balancer counted (`TrafficReports`), answered by how much of it was taken."""
API_SERVICES = "hanse.api.services"
"""Answered by a `ServicesOverview` (`shared/events/services.py`)."""


class GetRequest(ObjectAddress, frozen=True, kw_only=True, rename="camel"):
    """Answered by the object."""


class ListRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Answered by a list. Without `namespace` it is of all; `limit` 0 is no limit."""

    api_version: str
    kind: str
    namespace: str = ""
    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    continue_token: str = msgspec.field(default="", name="continue")


class ApplyRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Server-side apply; answered by the object as it is now."""

    manifest: Manifest
    field_manager: str = "hanse-client"
    force: bool = False
    dry_run: bool = False


class DeleteRequest(ObjectAddress, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Answered by the object's last state. With `uid` only the object of that uid is deleted."""

    propagation_policy: str = ""
    uid: str = ""
    dry_run: bool = False
