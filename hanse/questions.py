"""What the gateway answers for services behind it: each kind of question has a path of its own."""

from shared.api.meta import API_VERSION
from shared.apimachinery.manifest import GroupVersionKind
from shared.memberapi.port import ResourceType


def _question(kind: str, resource: str) -> ResourceType:
    return ResourceType(GroupVersionKind.parse(API_VERSION, kind), resource, namespaced=False)


DEAD_LETTERS = _question("DeadLetterList", "deadletters")
EXPLANATIONS = _question("Explanation", "explanations")
FLEET_HEALTH = _question("FleetHealth", "fleethealth")
PLANS = _question("Plan", "plans")
RENDERINGS = _question("Rendering", "renderings")
RETRIES = _question("DeadLetterRetry", "deadletterretries")
SCORES = _question("ScoreList", "scorelists")
SERVICES = _question("ServicesOverview", "serviceoverviews")
TRAFFIC_EXPLANATIONS = _question("TrafficExplanations", "trafficexplanations")
TRAFFIC_RENDERINGS = _question("TrafficRendering", "trafficrenderings")
