"""Bodies as HTTP answers: JSON, and what went wrong as a Status."""

from aiohttp import web

from shared.apiserver.requests.negotiation import JSON
from shared.apiserver.status_errors import ApiFault, PageNotFound


def json_response(body: bytes, *, status: int = 200) -> web.Response:
    """Answer encoded JSON; it ends with a line feed, so that it looks well in a terminal."""
    text = body if body.endswith(b"\n") else body + b"\n"
    return web.Response(body=text, status=status, content_type=JSON)


def status_response(fault: ApiFault) -> web.Response:
    """Answer *fault* as its Status object, and an unknown page as text."""
    if isinstance(fault, PageNotFound):
        return web.Response(text=str(fault), status=fault.code)
    response = json_response(fault.encoded(), status=fault.code)
    if fault.retry_after_seconds:
        response.headers["Retry-After"] = str(fault.retry_after_seconds)
    return response
