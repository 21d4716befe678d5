"""Everything that can go wrong with a request, as the `Status` object Kubernetes answers.

Wording and codes follow `k8s.io/apimachinery/pkg/api/errors`, since clients read both: kubectl
prints the message, client libraries branch on `reason` and `details`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from shared.apimachinery.manifest import GroupResource, GroupVersionKind, Manifest
from shared.errors import (
    AlreadyExists,
    FieldError,
    InvalidObject,
    OutcomeUnknown,
    RetryableError,
    RevisionAhead,
    RevisionExpired,
    StaleRevision,
    StoreUnavailable,
    TerminalError,
)

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}
CAUSES_MAX = 200


class ApiFault(Exception):
    """A request that gets an error; carries the whole answer. `details` as in `metav1.Status`."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        reason: str = "",
        details: Mapping[str, Any] | None = None,
        continue_token: str = "",
        retry_after_seconds: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason or _REASONS.get(code, "Unknown")
        self.details = None if details is None else dict(details)
        self.warnings: tuple[str, ...] = ()
        self.continue_token = continue_token
        self.retry_after_seconds = retry_after_seconds
        if retry_after_seconds:
            self.details = {**(details or {}), "retryAfterSeconds": retry_after_seconds}

    def status(self) -> Manifest:
        body: Manifest = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_token} if self.continue_token else {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
        }
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body

    def encoded(self) -> bytes:
        return msgspec.json.encode(self.status())


@contextmanager
def warned(warnings: tuple[str, ...]) -> Iterator[None]:
    """Let a refusal within tell *warnings* too: they were found before it was."""
    try:
        yield
    except ApiFault as fault:
        fault.warnings = (*warnings, *fault.warnings)
        raise


def success(details: Mapping[str, Any]) -> Manifest:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": dict(details),
    }


def object_details(resource: GroupResource, name: str) -> dict[str, Any]:
    details: dict[str, Any] = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.resource
    return details


def bad_request(message: str) -> ApiFault:
    return ApiFault(400, message)


def not_found(resource: GroupResource, name: str) -> ApiFault:
    return ApiFault(404, f'{resource} "{name}" not found', details=object_details(resource, name))


def unknown_path() -> ApiFault:
    """A path within a group that is served, under which there is nothing: an unknown kind."""
    return ApiFault(404, "the server could not find the requested resource", details={})


class PageNotFound(ApiFault):
    """A path outside of everything that is served; answered as plain text, like a web page."""

    def __init__(self) -> None:
        super().__init__(404, "404 page not found\n")


def already_exists(resource: GroupResource, name: str, *, going: bool = False) -> ApiFault:
    """*going*: what is there is being deleted, so that it is worth trying again."""
    return ApiFault(
        409,
        f'{"object is being deleted: " if going else ""}{resource} "{name}" already exists',
        reason="AlreadyExists",
        details=object_details(resource, name),
    )


def conflict(resource: GroupResource, name: str, why: str = "") -> ApiFault:
    why = why or (
        "the object has been modified; please apply your changes to the latest version "
        "and try again"
    )
    return ApiFault(
        409,
        f'Operation cannot be fulfilled on {resource} "{name}": {why}',
        details=object_details(resource, name),
    )


def forbidden(
    resource: GroupResource, name: str, why: str, causes: Sequence[Mapping[str, str]] = ()
) -> ApiFault:
    details = object_details(resource, name)
    if causes:
        details["causes"] = list(causes)
    return ApiFault(403, f'{resource} "{name}" is forbidden: {why}', details=details)


def expired(message: str, continue_token: str = "") -> ApiFault:
    return ApiFault(410, message, continue_token=continue_token)


def method_not_allowed(why: str = "") -> ApiFault:
    message = "the server does not allow this method on the requested resource"
    return ApiFault(405, f"{message}: {why}" if why else message, details={})


def too_large_version(message: str) -> ApiFault:
    """A state of the future: clients wait and ask again, or without a version."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    return ApiFault(504, f"Timeout: {message}", details={"causes": [cause]}, retry_after_seconds=1)


def too_large(limit_bytes: int) -> ApiFault:
    return ApiFault(413, f"Request entity too large: limit is {limit_bytes}")


def invalid(gvk: GroupVersionKind, name: str, fields: Sequence[FieldError]) -> ApiFault:
    """422 with one cause per field."""
    kind = f"{gvk.kind}.{gvk.group}" if gvk.group else gvk.kind
    # A fault that is found twice is two causes, and is said once.
    said = list(dict.fromkeys(str(one) for one in fields))
    shown = said[:10]
    if len(said) > len(shown):
        shown.append(f"and {len(said) - len(shown)} more")
    text = shown[0] if len(shown) == 1 else "[" + ", ".join(shown) + "]"
    details: dict[str, Any] = {"name": name} if name else {}
    if gvk.group:
        details["group"] = gvk.group
    if gvk.kind:
        details["kind"] = gvk.kind
    details["causes"] = [
        {"reason": one.reason, "message": one.message, "field": one.path or "<root>"}
        for one in fields[:CAUSES_MAX]
    ]
    return ApiFault(422, f'{kind} "{name}" is invalid: {text}', details=details)


def invalid_object(gvk: GroupVersionKind, name: str, error: InvalidObject) -> ApiFault:
    """Answer an `InvalidObject`, which may name no field at all."""
    return invalid(gvk, name, error.fields or [FieldError("", str(error))])


def from_error(error: Exception, resource: GroupResource | None = None, name: str = "") -> ApiFault:
    """Answer any of Hanse's errors; anything else is our own bug and says nothing of itself."""
    match error:
        case ApiFault():
            return error
        case StaleRevision() if resource is not None:
            return conflict(resource, name)
        case AlreadyExists() if resource is not None:
            return already_exists(resource, name)
        case AlreadyExists() | StaleRevision():
            return ApiFault(409, str(error))
        case RevisionExpired():
            return expired(str(error))
        case RevisionAhead():
            return too_large_version(str(error))
        case OutcomeUnknown():
            return ApiFault(504, "the write was sent and not confirmed; read to see its outcome")
        case StoreUnavailable():
            return ApiFault(503, "the store is not available", retry_after_seconds=1)
        case InvalidObject():
            return ApiFault(422, str(error), details={"causes": _causes(error.fields)})
        case RetryableError():
            seconds = error.retry_after.total_seconds() if error.retry_after else 1
            return ApiFault(
                503, "temporarily not possible", retry_after_seconds=max(1, math.ceil(seconds))
            )
        case TerminalError():
            return ApiFault(400, str(error))
        case _:
            return ApiFault(500, "an internal error occurred; the server's log says more")


def _causes(fields: Sequence[FieldError]) -> list[dict[str, str]]:
    return [
        {"reason": one.reason, "message": one.message, "field": one.path}
        for one in fields[:CAUSES_MAX]
    ]
