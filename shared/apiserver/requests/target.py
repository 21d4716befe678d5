"""What a request asks for: its path and query as a verb on a resource. Pure.

Paths are those of kube-apiserver's RequestInfo: `/api/v1/...` for the core group,
`/apis/<group>/<version>/...` for the others, `namespaces/<namespace>/` before namespaced ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from shared.apimachinery.manifest import GroupVersionKind
from shared.apimachinery.scalars import shown
from shared.apimachinery.short_cache import cached_when_short
from shared.apiserver.status_errors import ApiFault, bad_request, invalid
from shared.errors import FieldError

FIELD_VALIDATIONS = ("Strict", "Warn", "Ignore")
PROPAGATION_POLICIES = ("Background", "Foreground", "Orphan")


@dataclass(frozen=True, slots=True)
class Target:
    """What a path names; empty strings where it names nothing."""

    group: str
    version: str
    namespace: str
    resource: str
    name: str = ""
    subresource: str = ""
    watch_path: bool = False
    """The old form `/api/v1/watch/...`."""


@cached_when_short(8_192)
def parse_target(raw_path: str) -> Target | None:
    """Read a raw (still quoted) path; None when it is none of a resource."""
    parts = [unquote(part) for part in raw_path.removeprefix("/").removesuffix("/").split("/")]
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    watch_path = rest[0] == "watch" and len(rest) > 1
    if watch_path:
        rest = rest[1:]
    namespace = ""
    # `namespaces/x` is the Namespace itself, `namespaces/x/status` a part of it.
    if (
        rest[0] == "namespaces"
        and len(rest) > 2
        and not (group == "" and len(rest) == 3 and rest[2] in ("status", "finalize"))
    ):
        namespace, rest = rest[1], rest[2:]
        if not namespace:
            return None
    if len(rest) > 3 or not rest[0]:
        return None
    rest += [""] * (3 - len(rest))
    return Target(group, version, namespace, rest[0], rest[1], rest[2], watch_path)


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """The options of create, update and patch."""

    dry_run: bool = False
    field_manager: str = ""
    field_validation: str = "Warn"
    force: bool = False


def read_bool(query: Mapping[str, str], name: str) -> bool:
    """Whatever is not `0` or `false` is true, as for kube-apiserver; `?watch` alone too."""
    return name in query and query[name].lower() not in ("0", "false")


def read_number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise bad_request(f'{name}: Invalid value: "{text[:40]}": must be a number of 0 or more')
    return int(text)


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """`metav1.DeleteOptions` from body and query."""

    dry_run: bool = False
    propagation: str = ""
    uid: str = ""
    resource_version: str = ""


def read_delete_options(
    body: Mapping[str, object], query: Mapping[str, str], *, named: bool = True
) -> DeleteOptions:
    """The body counts where it says something, the query otherwise; raises `ApiFault` 400.

    *named*: one object is deleted; of a collection the query says which version to list.
    """
    if body.get("kind") not in (None, "", "DeleteOptions"):
        raise bad_request(f"expected DeleteOptions, not {str(body['kind'])[:80]}")
    grace = body.get("gracePeriodSeconds")
    if grace is not None and (isinstance(grace, bool) or not isinstance(grace, int)):
        raise bad_request("gracePeriodSeconds: must be an integer")
    read_number(query, "gracePeriodSeconds")
    dry_run = body.get("dryRun") or ([query["dryRun"]] if query.get("dryRun") else [])
    if not isinstance(dry_run, list) or any(one != "All" for one in dry_run):
        raise _invalid_deletion("dryRun", dry_run, 'supported values: "All"')
    policy = body.get("propagationPolicy") or query.get("propagationPolicy") or ""
    if policy not in ("", *PROPAGATION_POLICIES):
        supported = 'supported values: "Foreground", "Background", "Orphan", "nil"'
        raise _invalid_deletion("propagationPolicy", policy, supported)
    orphan = body.get("orphanDependents")
    if orphan is None and query.get("orphanDependents"):
        orphan = read_bool(query, "orphanDependents")
    if isinstance(orphan, bool):
        if policy:
            why = "orphanDependents and deletionPropagation cannot be both set"
            raise _invalid_deletion("propagationPolicy", policy, why)
        policy = "Orphan" if orphan else "Background"
    preconditions = body.get("preconditions")
    if preconditions is None:
        preconditions = query if named and not body else {}
    if not isinstance(preconditions, Mapping):
        raise bad_request("preconditions: must be an object")
    return DeleteOptions(
        dry_run=bool(dry_run),
        propagation=str(policy),
        uid=str(preconditions.get("uid") or ""),
        resource_version=str(preconditions.get("resourceVersion") or ""),
    )


def _invalid_deletion(name: str, value: object, why: str) -> ApiFault:
    """422: *why* may be what would be supported."""
    listed = why.startswith("supported values")
    word, reason = ("Unsupported", "NotSupported") if listed else ("Invalid", "Invalid")
    fault = FieldError(name, f"{word} value: {shown(value)}: {why}", f"FieldValue{reason}")
    return invalid(GroupVersionKind("meta.k8s.io", "v1", "DeleteOptions"), "", [fault])
