"""What goes wrong when a member is called, as Hanse's errors: the client's own and the server's."""

import os
import ssl
from datetime import timedelta

import aiohttp
import msgspec

from shared.errors import (
    HanseError,
    MemberRefused,
    MemberThrottled,
    MemberUnreachable,
    MemberUntrusted,
)

_TEXT_MAX = 200
_MESSAGE_MAX = 1_000


class _Details(msgspec.Struct):
    retry_after: int | None = msgspec.field(default=None, name="retryAfterSeconds")


class KubernetesStatus(msgspec.Struct):
    """The parts of `metav1.Status` that matter."""

    reason: str | None = None
    message: str | None = None
    code: int | None = None
    details: _Details | None = None


_decode_status = msgspec.json.Decoder(KubernetesStatus).decode


class translated:  # noqa: N801 - reads as a statement; a class, for it is on the hot path.
    """Turns what aiohttp raises into Hanse's errors."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, err: BaseException | None, _trace: object) -> None:
        if err is None or isinstance(err, HanseError):
            return
        if isinstance(err, TimeoutError):
            raise MemberUnreachable(
                f"member {self._name} did not answer before the deadline"
            ) from err
        if isinstance(err, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
            raise MemberUntrusted(f"member {self._name}: {_tls_words(err)}") from err
        if isinstance(err, aiohttp.ClientError | OSError):
            raise MemberUnreachable(
                f"member {self._name} cannot be reached: {_words(err)}"
            ) from err
        if isinstance(err, msgspec.DecodeError):
            raise MemberUnreachable(
                f"member {self._name} answered with something that is not JSON"
            ) from err


def _words(err: aiohttp.ClientError | OSError) -> str:
    """What went wrong, for people: the client's own words hold class names and objects."""
    if isinstance(err, aiohttp.ClientConnectorDNSError):
        return f"the name {err.host} does not resolve"
    if isinstance(err, aiohttp.ClientConnectorError):
        reason = os.strerror(err.os_error.errno) if err.os_error.errno else "no connection"
        return f"{err.host}:{err.port}: {reason.lower()}"
    if isinstance(err, aiohttp.ServerDisconnectedError):
        return "it closed the connection"
    return type(err).__name__


def _tls_words(err: aiohttp.ClientError) -> str:
    cause: object = getattr(err, "certificate_error", None) or getattr(err, "os_error", None)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause.verify_message}"
    reason = getattr(cause, "reason", None)
    return f"TLS failed: {str(reason).lower().replace('_', ' ') if reason else 'no handshake'}"


def read_status(body: bytes) -> KubernetesStatus:
    try:
        return _decode_status(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return KubernetesStatus(message=_plain_text(body))


def _plain_text(body: bytes) -> str | None:
    """The one line that a server which is no API server may have answered with."""
    line = body[:_TEXT_MAX].decode(errors="replace").strip()
    return line if line.isprintable() and not line.startswith("<") and line else None


def refusal_of(response: aiohttp.ClientResponse, body: bytes, name: str) -> HanseError:
    return error_of(read_status(body), response.status, response.headers.get("Retry-After"), name)


def shortened(text: str, limit: int) -> str:
    """Leave out the middle: a server may quote a whole object before it says what is wrong."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    return f"{text[: limit - tail - 5]} ... {text[-tail:]}"


def error_of(status: KubernetesStatus, code: int, retry_after: str | None, name: str) -> HanseError:
    code = status.code or code
    message = shortened(status.message or f"HTTP {code}", _MESSAGE_MAX)
    if code in (429, 503):
        seconds = status.details.retry_after if status.details else None
        if retry_after is not None and retry_after.isdigit():
            seconds = int(retry_after)
        patience = None if seconds is None else timedelta(seconds=min(seconds, 300))
        return MemberThrottled(f"member {name} asks for patience: {message}", retry_after=patience)
    if code in (502, 504):
        return MemberUnreachable(f"member {name} is behind a failing gateway: {message}")
    return MemberRefused(message, reason=status.reason or f"HTTP{code}", status=code)
