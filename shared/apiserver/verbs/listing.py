"""GET on one object and on collections, whole or in pages, as new or as old as is asked for."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from shared.apiserver.aside import aside
from shared.apiserver.requests.list_options import EXACT, ListOptions
from shared.apiserver.selection import Selection, read_selection
from shared.apiserver.serving import Call, Serving
from shared.apiserver.status_errors import bad_request, expired, not_found
from shared.apiserver.verbs.paging import ContinueToken, Snapshots, continued, listing_at
from shared.errors import RevisionExpired
from shared.store.port import Listing, Revision, Scope, Stored, place_of


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Part of a list. `remaining` is None when unknown."""

    items: Sequence[Stored]
    revision: Revision
    continue_token: str = ""
    remaining: int | None = None


async def get_object(
    serving: Serving, call: Call, *, resource_version: int | None = None
) -> Stored:
    """Raise `ApiFault` 404. Version 0 is content with what this process has seen."""
    call.require_verb("get")
    at_least = Revision(resource_version) if resource_version is not None else None
    stored = await serving.store.get(call.key, not_older_than=at_least)
    if stored is None:
        raise not_found(call.resource, call.name)
    return stored


async def list_objects(
    serving: Serving, snapshots: Snapshots, call: Call, options: ListOptions
) -> Page:
    """Raise `ApiFault`: 400 for bad selectors or tokens, 410 for a page that is gone."""
    call.require_verb("list")
    selection = read_selection(
        call.kind, options.label_selector, options.field_selector, serving.shown
    )
    scope = scope_of(call, selection)
    limit = options.limit
    if options.continue_token:
        token = ContinueToken.decode(options.continue_token)
        if options.resource_version:
            raise bad_request("specifying resource version is not allowed when using continue")
        listing = await continued(serving.store, snapshots, scope, token)
        start = bisect_left(listing.items, token.place(scope), key=place_of)
    else:
        listing, start = await _first_listing(serving, snapshots, scope, options), 0
        if options.resource_version == 0:
            # Whoever takes any state gets all of it at once.
            limit = 0
    # Whoever selects looks into every object.
    size = 0 if selection.everything else sum(one.size for one in listing.items[start:])
    page = await aside(size, _page, listing, scope, start, selection, limit)
    if page.continue_token:
        snapshots.hold(scope, listing)
    return page


def scope_of(call: Call, selection: Selection) -> Scope:
    """Which objects can be meant at most."""
    if not call.kind.namespaced:
        return Scope.of(call.resource)
    return Scope.of(call.resource, call.namespace or selection.namespace)


async def _first_listing(
    serving: Serving, snapshots: Snapshots, scope: Scope, options: ListOptions
) -> Listing:
    """List as new as `resourceVersion` asks for; with a limit it means exactly that version."""
    version = options.resource_version
    if version is None:
        return await serving.store.list(scope)
    revision = Revision(version)
    if options.version_match == EXACT or (version and options.limit and not options.version_match):
        try:
            return await listing_at(serving.store, snapshots, scope, revision)
        except RevisionExpired as err:
            raise expired("The resourceVersion for the provided list is too old.") from err
    return await serving.store.list(scope, not_older_than=revision)


def _page(listing: Listing, scope: Scope, start: int, selection: Selection, limit: int) -> Page:
    """Return at most *limit* (0: all) of the selected objects from *start* on."""
    items = listing.items
    if selection.everything and not limit:
        return Page(items[start:] if start else items, listing.revision)
    found: list[Stored] = []
    for index in range(start, len(items)):
        stored = items[index]
        if not selection.everything and not selection.matches(stored):
            continue
        found.append(stored)
        left = len(items) - index - 1
        if len(found) == limit and left:
            # What is left may have nothing that matches: the next page is empty then.
            token = ContinueToken.after(stored, scope, listing.revision).encode()
            remaining = left if selection.everything else None
            return Page(found, listing.revision, token, remaining)
    return Page(found, listing.revision)
