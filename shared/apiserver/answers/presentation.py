"""The last step of an answer: JSON as YAML, or indented for people, where it is asked for.

Everything before it makes compact JSON: what is asked for rarely costs nobody else anything.
"""

import asyncio

import msgspec
import yaml
from aiohttp import web

from shared.apimachinery.short_cache import cached_when_short
from shared.apiserver.requests.negotiation import JSON, YAML, accepted
from shared.apiserver.requests.target import read_bool
from shared.apiserver.status_errors import ApiFault

# Programs that people read answers with.
_READ_BY_PEOPLE = ("curl", "Wget", "Mozilla/5.0")
# Beyond this size rewriting takes long enough that others would notice.
_SLOW_BYTES = 32 * 1024


async def presented(request: web.BaseRequest, response: web.StreamResponse) -> web.StreamResponse:
    """Return *response*, its JSON rewritten if the request asks for that; never a stream."""
    if not isinstance(response, web.Response) or response.content_type != JSON:
        return response
    body = response.body
    if not isinstance(body, bytes) or not body:
        return response
    if is_plain(request):
        return response
    media, _ = _wish(request.headers.get("Accept", ""))
    rewrite = _as_yaml if media == YAML else _indented
    slow = len(body) > _SLOW_BYTES
    response.body = await asyncio.to_thread(rewrite, body) if slow else rewrite(body)
    if media == YAML:
        response.content_type = YAML
    return response


def is_plain(request: web.BaseRequest) -> bool:
    """Whether it is answered in compact JSON, as almost all are."""
    media, pretty = _wish(request.headers.get("Accept", ""))
    return media != YAML and not _pretty(request, asked=pretty)


@cached_when_short(512)
def _wish(accept: str) -> tuple[str, bool]:
    """An error is told even to those who accept nothing that is served."""
    try:
        wish = accepted(accept)
    except ApiFault:
        return JSON, False
    return wish.media, wish.pretty


def _pretty(request: web.BaseRequest, *, asked: bool) -> bool:
    if "pretty" in request.query_string:
        try:
            return read_bool(request.rel_url.query, "pretty")
        except ApiFault:
            return False
    return asked or request.headers.get("User-Agent", "").startswith(_READ_BY_PEOPLE)


def _indented(body: bytes) -> bytes:
    return msgspec.json.format(body, indent=2)


def _as_yaml(body: bytes) -> bytes:
    return yaml.dump(
        msgspec.json.decode(body),
        Dumper=yaml.CSafeDumper,
        allow_unicode=True,
        default_flow_style=False,
        encoding="utf-8",
        width=2**31 - 1,
    )
