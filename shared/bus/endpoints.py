"""Answering one request: in the caller's trace, with errors that tell a stranger nothing."""

from collections.abc import Mapping

import structlog
from opentelemetry import context

from shared.bus.port import Handler, RequestError
from shared.telemetry.propagation import extract

log = structlog.get_logger("hanse.bus")


async def answer(subject: str, handler: Handler, body: bytes, headers: Mapping[str, str]) -> bytes:
    """Run *handler*; raises `RequestError` for whatever goes wrong."""
    token = context.attach(extract(headers))
    try:
        return await handler(body, headers)
    except RequestError:
        raise
    except Exception as err:
        # A request must not end the service; what failed is for the log, not for the caller.
        log.exception("request.failed", subject=subject)
        raise RequestError(500, "internal error") from err
    finally:
        context.detach(token)
