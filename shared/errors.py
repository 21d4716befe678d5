"""The errors of Hanse.

HanseError
├─ RetryableError          try again later; carries `retry_after`
│  ├─ StaleRevision        someone wrote first: read again
│  ├─ StoreUnavailable     NATS is away or answered nothing in time
│  ├─ RevisionAhead        a reader asked for a state that nothing has led to yet
│  ├─ OutcomeUnknown       a write was sent and not answered: it may have happened
│  ├─ MemberUnreachable    no answer from a member's API in time
│  │  └─ MemberUntrusted   it answers, and our trust or its certificate is wrong
│  └─ MemberThrottled      the member asks for patience (429, 503)
└─ TerminalError           trying again cannot help; carries a PascalCase `reason`
   ├─ AlreadyExists
   ├─ InvalidObject        carries the fields at fault
   ├─ MalformedEvent
   ├─ MemberRefused        the member's API said no; carries its HTTP status
   ├─ UnusableCredentials  a kubeconfig or sealed credentials nobody can call a member with
   └─ RevisionExpired      a watch asked for history that is gone: list again

"It does not fit" and "it is not there" are answers, not errors: they are return values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


class HanseError(Exception):
    """Whatever Hanse raises on purpose."""


class RetryableError(HanseError):
    """The same call may succeed later."""

    def __init__(self, message: str, *, retry_after: timedelta | None = None) -> None:
        super().__init__(message)
        # None: the caller's own back-off decides.
        self.retry_after = retry_after


class StaleRevision(RetryableError):
    """A compare-and-set lost: the object moved on since it was read."""


class StoreUnavailable(RetryableError):
    """The store gave no answer, and nothing was written."""


class RevisionAhead(RetryableError):
    """A reader wants at least a revision that no write has reached."""

    def __init__(self, wanted: int, current: int) -> None:
        super().__init__(f"Too large resource version: {wanted}, current: {current}")


class OutcomeUnknown(RetryableError):
    """A write was sent and not confirmed; only reading again tells whether it happened."""


class MemberUnreachable(RetryableError):
    """A member's API server could not be reached or did not answer before the deadline."""


class MemberUntrusted(MemberUnreachable):
    """What answers shows no certificate that our credentials trust, or does not take ours."""


class MemberThrottled(RetryableError):
    """A member's API server answered 429 or 503."""


class TerminalError(HanseError):
    """The same call can never succeed; `reason` is PascalCase and fit for a condition."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class AlreadyExists(TerminalError):
    """An object of that key exists."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="AlreadyExists")


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault in an object: `path` as Kubernetes prints it (`spec.ports[0].port`)."""

    path: str
    message: str
    # One of Kubernetes' cause reasons: FieldValueInvalid, FieldValueRequired,
    # FieldValueNotSupported, FieldValueForbidden, FieldValueDuplicate, FieldValueTypeInvalid,
    # FieldValueTooLong, FieldValueTooMany.
    reason: str = "FieldValueInvalid"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidObject(TerminalError):
    """An object breaks the rules of its kind; `fields` says where and how."""

    def __init__(self, message: str, fields: Sequence[FieldError] = ()) -> None:
        super().__init__(message, reason="Invalid")
        self.fields = tuple(fields)


class MalformedEvent(TerminalError):
    """A message that no version of its contract can decode."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="MalformedEvent")


class MemberRefused(TerminalError):
    """A member's API server rejected the request; `status` is its HTTP status."""

    def __init__(self, message: str, *, reason: str, status: int) -> None:
        super().__init__(message, reason=reason)
        self.status = status


class UnusableCredentials(TerminalError):
    """Credentials that cannot be read or used; the message says which part, never its value."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="UnusableCredentials")


class RevisionExpired(TerminalError):
    """The changes after that revision are no longer held; answer 410 and list again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="Expired")
