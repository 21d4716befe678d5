"""Requests over NATS, read and answered as the API server does it: JSON both ways.

An error is answered with its HTTP code, its message, and the `Status` object that Kubernetes would
have answered as the body.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec
import structlog
from opentelemetry import trace

from shared.apiserver.status_errors import ApiFault, bad_request, from_error
from shared.bus.port import Handler, RequestError
from shared.errors import HanseError
from shared.telemetry.propagation import extract

log = structlog.get_logger("hanse.requests")
tracer = trace.get_tracer("hanse.requests")

Asked = TypeVar("Asked", bound=msgspec.Struct)


def read_request(body: bytes, struct: type[Asked]) -> Asked:
    """Raise `ApiFault` 400 for what is no *struct*."""
    try:
        return msgspec.json.decode(body, type=struct)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as err:
        raise bad_request(f"the request cannot be read: {err}") from err


def answering(answer: Callable[[bytes], Awaitable[bytes]]) -> Handler:
    """Return the handler of an endpoint that *answer* answers, in the caller's trace."""

    async def handler(body: bytes, headers: Mapping[str, str]) -> bytes:
        with tracer.start_as_current_span("request", context=extract(headers)):
            try:
                return await answer(body)
            except (ApiFault, HanseError) as err:
                fault = from_error(err)
                raise RequestError(fault.code, str(fault), fault.encoded()) from err
            except Exception as err:
                # A bug met by one request is that request's answer; NATS would show its text.
                log.exception("request.bug")
                fault = from_error(err)
                raise RequestError(fault.code, str(fault), fault.encoded()) from None

    return handler
