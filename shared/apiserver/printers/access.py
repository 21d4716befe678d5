"""The columns of who may do what, of admission and of the API's own machinery."""

from datetime import timedelta

from shared.apimachinery.manifest import Manifest
from shared.apiserver.age import human_duration
from shared.apiserver.kinds import Column
from shared.apiserver.printers.cells import (
    AGE,
    NONE,
    UNSET,
    column,
    condition_status,
    dig,
    field,
    items,
    selector_text,
)


def _role(binding: Manifest) -> str:
    return f"{dig(binding, 'roleRef', 'kind')}/{dig(binding, 'roleRef', 'name')}"


def _subjects(kind: str) -> Column:
    def read(binding: Manifest) -> str:
        found = (one for one in items(binding, "subjects") if one.get("kind") == kind)
        if kind == "ServiceAccount":
            return ", ".join(f"{one.get('namespace', '')}/{one.get('name')}" for one in found)
        return ", ".join(str(one.get("name")) for one in found)

    return column(f"{kind}s", read, wide=True)


BINDING: tuple[Column, ...] = (
    column("Role", _role),
    AGE,
    _subjects("User"),
    _subjects("Group"),
    _subjects("ServiceAccount"),
)


def _requested_duration(request: Manifest) -> str:
    seconds = dig(request, "spec", "expirationSeconds")
    return NONE if seconds is None else human_duration(timedelta(seconds=int(seconds)))


def _request_condition(request: Manifest) -> str:
    words = {condition.get("type") for condition in items(request, "status", "conditions")}
    found = ["Denied" if "Denied" in words else "Approved" if "Approved" in words else "Pending"]
    if "Failed" in words:
        found.append("Failed")
    if dig(request, "status", "certificate"):
        found.append("Issued")
    return ",".join(found)


SIGNING_REQUEST: tuple[Column, ...] = (
    AGE,
    field("SignerName", "spec", "signerName", absent=NONE),
    field("Requestor", "spec", "username"),
    column("RequestedDuration", _requested_duration),
    column("Condition", _request_condition),
)
WEBHOOK_CONFIGURATION: tuple[Column, ...] = (
    column("Webhooks", lambda one: len(items(one, "webhooks")), type_="integer"),
    AGE,
)


def _parameter_kind(policy: Manifest) -> str:
    kind = dig(policy, "spec", "paramKind")
    return f"{kind.get('apiVersion')}/{kind.get('kind')}" if kind else UNSET


def _parameter(binding: Manifest) -> str:
    found = dig(binding, "spec", "paramRef")
    if not found:
        return UNSET
    if found.get("name"):
        return f"{found.get('namespace') or '*'}/{found['name']}"
    return UNSET if found.get("selector") is None else selector_text(found["selector"])


ADMISSION_POLICY: tuple[Column, ...] = (
    column("Validations", lambda one: len(items(one, "spec", "validations")), type_="integer"),
    column("ParamKind", _parameter_kind),
    AGE,
)
MUTATION_POLICY: tuple[Column, ...] = (
    column("Mutations", lambda one: len(items(one, "spec", "mutations")), type_="integer"),
    column("ParamKind", _parameter_kind),
    AGE,
)
ADMISSION_POLICY_BINDING: tuple[Column, ...] = (
    field("PolicyName", "spec", "policyName"),
    column("ParamRef", _parameter),
    AGE,
)


def _service(api_service: Manifest) -> str:
    found = dig(api_service, "spec", "service")
    return f"{found.get('namespace')}/{found.get('name')}" if found else "Local"


def _available(api_service: Manifest) -> str:
    for condition in items(api_service, "status", "conditions"):
        if condition.get("type") == "Available":
            status = str(condition.get("status"))
            return status if status == "True" else f"{status} ({condition.get('reason')})"
    return condition_status(api_service, "Available") or "Unknown"


API_SERVICE: tuple[Column, ...] = (
    column("Service", _service),
    column("Available", _available),
    AGE,
)


def precedence(schema: Manifest) -> tuple[int, str]:
    """The order in which schemas are asked whether a request is theirs."""
    number = dig(schema, "spec", "matchingPrecedence")
    name = str(dig(schema, "metadata", "name"))
    return (number if isinstance(number, int) else 0, name)


def _missing_level(schema: Manifest) -> str:
    found = condition_status(schema, "Dangling")
    return "?" if found is None else found


FLOW_SCHEMA: tuple[Column, ...] = (
    field("PriorityLevel", "spec", "priorityLevelConfiguration", "name", absent=NONE),
    column("MatchingPrecedence", lambda one: dig(one, "spec", "matchingPrecedence") or 0),
    field("DistinguisherMethod", "spec", "distinguisherMethod", "type", absent=NONE),
    AGE,
    column("MissingPL", _missing_level),
)
_LIMITED = ("spec", "limited")
_QUEUES = (*_LIMITED, "limitResponse", "queuing")
PRIORITY_LEVEL: tuple[Column, ...] = (
    field("Type", "spec", "type"),
    field("NominalConcurrencyShares", *_LIMITED, "nominalConcurrencyShares", absent=NONE),
    field("Queues", *_QUEUES, "queues", absent=NONE),
    field("HandSize", *_QUEUES, "handSize", absent=NONE),
    field("QueueLengthLimit", *_QUEUES, "queueLengthLimit", absent=NONE),
    AGE,
)
