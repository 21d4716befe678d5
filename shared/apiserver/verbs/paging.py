"""Lists in consistent pages: where the next one begins, and the list it is a part of.

A token says revision and place in the words of kube-apiserver (`k8s.io/apiserver/pkg/storage`), so
any replica can read on: what a page belongs to is kept for a while where it was listed, and is
undone from the present state out of the recent changes elsewhere. When those are gone too the
answer is 410 with a token that goes on in the present state.
"""

import base64
import binascii
import posixpath
from collections import OrderedDict

import msgspec

from shared.apiserver.status_errors import ApiFault, bad_request, expired
from shared.clock import Clock
from shared.errors import RevisionExpired
from shared.store.port import Listing, ObjectStore, Revision, Scope, Stored, place_of

SNAPSHOTS_MAX = 64
SNAPSHOT_SECONDS = 300.0
_VERSION = "meta.k8s.io/v1"
_AFTER = "\x00"
_PRESENT = -1


class ContinueToken(msgspec.Struct, frozen=True):
    """Where the next page begins: at *start*, at that revision (-1: the present)."""

    version: str = msgspec.field(name="v", default="")
    revision: int = msgspec.field(name="rv", default=0)
    start: str = ""

    @classmethod
    def after(cls, last: Stored, scope: Scope, revision: int) -> "ContinueToken":
        # What lies in one namespace is named within it.
        start = last.key.name if scope.namespace is not None else place_of(last)
        return cls(_VERSION, revision, start + _AFTER)

    def encode(self) -> str:
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    def place(self, scope: Scope) -> str:
        """The least place on the page, as `place_of` writes them."""
        return f"{scope.namespace}/{self.start}" if scope.namespace else self.start

    @classmethod
    def decode(cls, text: str) -> "ContinueToken":
        """Raise `ApiFault` 400 for what no server wrote."""
        try:
            body = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
            found = msgspec.json.decode(body, type=cls)
        except (ValueError, binascii.Error) as err:
            raise _bad_token("continue key is not valid") from err
        if found.version != _VERSION:
            raise _bad_token(
                "continue key is not valid: server does not recognize this encoded version "
                f"{found.version[:40]}"
            )
        if found.revision == 0:
            raise _bad_token(
                "continue key is not valid: incorrect encoded start resourceVersion "
                f"(version {_VERSION})"
            )
        if not found.start:
            raise _bad_token(
                f"continue key is not valid: encoded start key empty (version {_VERSION})"
            )
        path = "/" + found.start.removeprefix("/")
        if posixpath.normpath(path) != path:
            raise _bad_token(f"continue key is not valid: {found.start[:100]}")
        return found


def _bad_token(why: str) -> ApiFault:
    return bad_request(f"invalid continue token: {why}")


class Snapshots:
    """The lists that are being paged through here, bounded in number and time."""

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


async def listing_at(
    store: ObjectStore, snapshots: Snapshots, scope: Scope, revision: Revision
) -> Listing:
    """Return *scope* as it was then; raises `RevisionExpired`, `RevisionAhead`."""
    held = snapshots.find(scope, revision)
    return held if held is not None else await store.list_at(scope, revision)


async def continued(
    store: ObjectStore, snapshots: Snapshots, scope: Scope, token: ContinueToken
) -> Listing:
    """Return the list that *token* goes on in; raises `ApiFault` 410 with a way on."""
    if token.revision < 0:
        return await store.list(scope)
    try:
        return await listing_at(store, snapshots, scope, Revision(token.revision))
    except RevisionExpired as err:
        present = ContinueToken(_VERSION, _PRESENT, token.start).encode()
        raise expired(
            "The provided continue parameter is too old to display a consistent list result. You "
            "can start a new list without the continue parameter, or use the continue token in "
            "this response to retrieve the remainder of the results. Continuing with the provided "
            "token results in an inconsistent list - objects that were created, modified, or "
            "deleted between the time the first chunk was returned and now may show up in the "
            "list.",
            present,
        ) from err
