"""Warnings beside an answer (RFC 7234, code 299), which kubectl prints."""

from aiohttp import web

from shared.api.meta import GROUP
from shared.apiserver.kinds import ResourceKind

MEBIBYTE = 1024 * 1024
WARNINGS_MAX = 20
_DEPRECATION = web.RequestKey("deprecation", str)


def add_warnings(response: web.StreamResponse, warnings: tuple[str, ...]) -> None:
    """Write each as a `Warning` header (RFC 7234, code 299)."""
    for text in warnings[:WARNINGS_MAX]:
        plain = "".join(letter if letter.isprintable() else " " for letter in text)[:256]
        quoted = plain.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')


def size_warnings(kind: ResourceKind, size: int, most: int | None) -> tuple[str, ...]:
    """Warn of an object of *size* bytes that members are meant to hold; *most*: see the limits."""
    if most is None or size <= most or kind.gvk.group == GROUP:
        return ()
    told = (
        f"the object has {size / MEBIBYTE:.1f} MiB: stored here, but a member whose etcd takes "
        f"requests of {most / MEBIBYTE:.1f} MiB, its default, refuses it"
    )
    return (told,)


def note_deprecation(request: web.BaseRequest, kind: ResourceKind) -> None:
    """Remember what users of a version that is to go are told with every answer."""
    if kind.deprecation:
        request[_DEPRECATION] = kind.deprecation


async def tell_deprecation(request: web.Request, response: web.StreamResponse) -> None:
    """Tell it as the answer begins, of a watch too; a signal of aiohttp."""
    if text := request.get(_DEPRECATION):
        add_warnings(response, (text,))
