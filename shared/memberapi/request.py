"""Requests to a Kubernetes API as plain data: method, path with query, headers, body."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import msgspec

from shared.errors import InvalidObject
from shared.memberapi.port import ResourceType

FIELD_MANAGER = "hanse"
HANDOVER_MANAGER = "hanse-handover"
"""Holds the replicas that Hanse lets go, until whoever scales them writes."""
ADOPTION_MANAGER = "hanse-adoption"
FENCE_MANAGER = "hanse-fence"
"""Who takes the replicas of what must not run; whoever applies the order again takes them back."""
"""Holds the mark of what an object was before Hanse took it over."""
APPLY_CONTENT = "application/apply-patch+yaml"
MERGE_CONTENT = "application/merge-patch+json"
JSON_CONTENT = "application/json"

_AGGREGATED = ("v2", "v2beta1")
DISCOVERY_ACCEPT = ",".join(
    [
        f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        for version in _AGGREGATED
    ]
    + [JSON_CONTENT]
)

_JSON_HEADERS: Mapping[str, str] = {"Accept": JSON_CONTENT}
_APPLY_HEADERS = {**_JSON_HEADERS, "Content-Type": APPLY_CONTENT}
_MERGE_HEADERS = {**_JSON_HEADERS, "Content-Type": MERGE_CONTENT}
_BODY_HEADERS = {**_JSON_HEADERS, "Content-Type": JSON_CONTENT}


@dataclass(frozen=True, slots=True)
class MemberRequest:
    """`target` is path and query, percent-encoded."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None


def _object_path(kind: ResourceType, namespace: str, name: str) -> str:
    """The path of one object; raises `InvalidObject` where *name* leads elsewhere.

    Without a name it would be the path of the whole collection, which a DELETE empties.
    """
    if name in ("", ".", "..") or "/" in name:
        raise InvalidObject(f"{name!r} is no name of one of {kind.resource}")
    return _path(kind, namespace, name)


def _path(kind: ResourceType, namespace: str = "", name: str = "") -> str:
    # Names of RBAC objects hold colons, which a path segment may.
    return kind.path(quote(namespace, safe=""), quote(name, safe=":"))


def apply_request(
    kind: ResourceType,
    namespace: str,
    name: str,
    body: bytes,
    *,
    force: bool,
    manager: str = FIELD_MANAGER,
    dry_run: bool = False,
) -> MemberRequest:
    """Server-side apply (KEP-555); JSON is YAML, so the body goes as it is."""
    query = f"?fieldManager={manager}&force={'true' if force else 'false'}"
    if dry_run:
        query += "&dryRun=All"
    return MemberRequest("PATCH", _object_path(kind, namespace, name) + query, _APPLY_HEADERS, body)


def merge_request(
    kind: ResourceType,
    namespace: str,
    name: str,
    body: bytes,
    *,
    manager: str = FIELD_MANAGER,
    subresource: str = "",
) -> MemberRequest:
    query = f"?fieldManager={quote(manager, safe='')}"
    path = _object_path(kind, namespace, name) + (f"/{subresource}" if subresource else "")
    return MemberRequest("PATCH", path + query, _MERGE_HEADERS, body)


def get_request(kind: ResourceType, namespace: str, name: str) -> MemberRequest:
    return MemberRequest("GET", _object_path(kind, namespace, name), _JSON_HEADERS)


def read_request(path: str) -> MemberRequest:
    return MemberRequest("GET", path, {"Accept": "*/*"})


def put_request(path: str, body: bytes) -> MemberRequest:
    return MemberRequest("PUT", path, _BODY_HEADERS, body)


def discovery_request(path: str) -> MemberRequest:
    return MemberRequest("GET", path, {"Accept": DISCOVERY_ACCEPT})


def create_request(
    kind: ResourceType, namespace: str, body: bytes, manager: str = FIELD_MANAGER
) -> MemberRequest:
    query = f"?fieldManager={quote(manager, safe='')}"
    return MemberRequest("POST", _path(kind, namespace) + query, _BODY_HEADERS, body)


def delete_request(
    kind: ResourceType, namespace: str, name: str, *, uid: str, propagation: str
) -> MemberRequest:
    options = {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": {"uid": uid},
        "propagationPolicy": propagation,
    }
    return MemberRequest(
        "DELETE", _object_path(kind, namespace, name), _BODY_HEADERS, msgspec.json.encode(options)
    )


def list_request(
    kind: ResourceType, *, namespace: str, label_selector: str, limit: int, token: str
) -> MemberRequest:
    """*limit* 0 asks for everything at once; *token* continues a limited list."""
    query = {
        "labelSelector": label_selector,
        "limit": str(limit) if limit else "",
        "continue": token,
    }
    return MemberRequest("GET", _path(kind, namespace) + _encode_query(query), _JSON_HEADERS)


def watch_request(
    kind: ResourceType,
    *,
    resource_version: str,
    label_selector: str,
    seconds: int,
    namespace: str = "",
) -> MemberRequest:
    query = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": resource_version,
        "labelSelector": label_selector,
        "timeoutSeconds": str(seconds),
    }
    return MemberRequest("GET", _path(kind, namespace) + _encode_query(query), _JSON_HEADERS)


def _encode_query(query: Mapping[str, str]) -> str:
    given = {name: value for name, value in query.items() if value}
    return f"?{urlencode(given)}" if given else ""
