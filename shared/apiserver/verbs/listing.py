"""GET on one object and on collections, whole or in consistent pages.

The first page of a list fixes a snapshot; `continue` reads on in it, so that pages together are one
list at one revision. Snapshots are kept for a while in this process and share their objects with
the store; when one is gone the answer is 410 with a token that goes on in the present state.
"""

import base64
import binascii
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from shared.apiserver.request import ListOptions
from shared.apiserver.selection import Selection, read_selection
from shared.apiserver.serving import Call, Serving
from shared.apiserver.status_errors import ApiFault, bad_request, expired, not_found
from shared.clock import Clock
from shared.store.port import Listing, Revision, Scope, Stored

SNAPSHOTS_MAX = 64
SNAPSHOT_SECONDS = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Part of a list. `remaining` is None when unknown."""

    items: Sequence[Stored]
    revision: Revision
    continue_token: str = ""
    remaining: int | None = None


class ContinueToken(msgspec.Struct, frozen=True, array_like=True):
    """Where the next page begins: after that key, at that revision (-1: the present)."""

    revision: int
    namespace: str
    name: str

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "ContinueToken":
        """Raise `ApiFault` 400 for anything this server did not write."""
        try:
            body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            return msgspec.json.decode(body, type=cls)
        except (ValueError, binascii.Error) as err:
            raise bad_request("continue key is not valid") from err


class Snapshots:
    """The lists that are being paged through, bounded in number and time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: OrderedDict[tuple[Scope, int], tuple[float, Listing]] = OrderedDict()

    def hold(self, scope: Scope, listing: Listing) -> None:
        now = self._clock.monotonic()
        self._held[scope, listing.revision] = (now, listing)
        self._held.move_to_end((scope, listing.revision))
        while len(self._held) > SNAPSHOTS_MAX:
            self._held.popitem(last=False)
        for key, (since, _) in list(self._held.items()):
            if now - since <= SNAPSHOT_SECONDS:
                break
            del self._held[key]

    def find(self, scope: Scope, revision: int) -> Listing | None:
        found = self._held.get((scope, revision))
        if found is None or self._clock.monotonic() - found[0] > SNAPSHOT_SECONDS:
            return None
        return found[1]


async def get_object(
    serving: Serving, call: Call, *, resource_version: int | None = None
) -> Stored:
    """Raise `ApiFault` 404. Version 0 is content with what this process has seen."""
    call.require_verb("get")
    key = call.key
    stored = serving.store.mirror.get(key) if resource_version == 0 else None
    if stored is None:
        stored = await serving.store.get(key)
    if stored is None:
        raise not_found(call.resource, call.name)
    return stored


async def list_objects(
    serving: Serving, snapshots: Snapshots, call: Call, options: ListOptions
) -> Page:
    """Raise `ApiFault`: 400 for bad selectors or tokens, 410 for a page that is gone."""
    call.require_verb("list")
    selection = read_selection(call.kind, options.label_selector, options.field_selector)
    scope = scope_of(call)
    if options.continue_token:
        token = ContinueToken.decode(options.continue_token)
        listing = await _snapshot(serving, snapshots, scope, token)
        start = bisect_right(
            listing.items,
            (token.namespace, token.name),
            key=lambda stored: (stored.key.namespace, stored.key.name),
        )
    else:
        listing, start = await current_listing(serving, snapshots, scope, options), 0
    page = _page(listing, start, selection, options.limit)
    if page.continue_token:
        snapshots.hold(scope, listing)
    return page


def scope_of(call: Call) -> Scope:
    if not call.kind.namespaced:
        return Scope.of(call.resource)
    return Scope.of(call.resource, call.namespace or None)


async def current_listing(
    serving: Serving, snapshots: Snapshots, scope: Scope, options: ListOptions
) -> Listing:
    """List as new as `resourceVersion` asks for."""
    wanted = options.resource_version
    if wanted and options.version_match == "Exact":
        held = snapshots.find(scope, wanted)
        if held is not None:
            return held
    listing = await serving.store.list(scope)
    if wanted and wanted > listing.revision:
        raise too_large_version(wanted, listing.revision)
    if wanted and options.version_match == "Exact" and wanted != listing.revision:
        raise expired(f"The resourceVersion for the provided list is too old: {wanted}")
    return listing


def too_large_version(wanted: int, current: int) -> ApiFault:
    message = f"Too large resource version: {wanted}, current: {current}"
    return ApiFault(
        504,
        message,
        details={
            "causes": [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            ]
        },
        retry_after_seconds=1,
    )


async def _snapshot(
    serving: Serving, snapshots: Snapshots, scope: Scope, token: ContinueToken
) -> Listing:
    if token.revision < 0:
        return await serving.store.list(scope)
    held = snapshots.find(scope, token.revision)
    if held is not None:
        return held
    present = ContinueToken(-1, token.namespace, token.name).encode()
    raise expired(
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter, or use the continue token in this "
        "response to retrieve the remainder of the results. Continuing with the provided token "
        "results in an inconsistent list - objects that were created, modified, or deleted "
        "between the time the first chunk was returned and now may show up in the list.",
        present,
    )


def _page(listing: Listing, start: int, selection: Selection, limit: int) -> Page:
    """Return at most *limit* (0: all) of the selected objects from *start* on."""
    items = listing.items
    if selection.everything and not limit:
        return Page(items[start:] if start else items, listing.revision)
    found: list[Stored] = []
    for index in range(start, len(items)):
        stored = items[index]
        if not selection.everything and not selection.matches(stored.manifest):
            continue
        if limit and len(found) == limit:
            # There is more: what follows the last object handed out.
            last = found[-1].key
            token = ContinueToken(listing.revision, last.namespace, last.name).encode()
            remaining = len(items) - index if selection.everything else None
            return Page(found, listing.revision, token, remaining)
        found.append(stored)
    return Page(found, listing.revision)
