"""Lines of watch events, each made once for all watchers that want it in the same form."""

from collections import OrderedDict
from collections.abc import Hashable

from shared.apiserver.answers.rendering import Renderer
from shared.apiserver.requests.negotiation import Form
from shared.store.port import ChangeType, Stored

LINES_MAX = 1_000
BYTES_MAX = 16 * 1024 * 1024


class EventLines:
    """The lines made lately, bounded in number and size."""

    def __init__(self) -> None:
        self._lines: OrderedDict[Hashable, bytes] = OrderedDict()
        self._bytes = 0

    def line(self, renderer: Renderer, change: ChangeType, stored: Stored, *, first: bool) -> bytes:
        """*first*: of its watch, which matters for tables alone."""
        if first and renderer.form is Form.TABLE:
            return renderer.event(change, stored, first=True)
        # An object that left a selection is DELETED in an older state, at the same revision for
        # whoever saw it leave: type and revision tell lines apart.
        key = (renderer.identity, change, stored.key, stored.revision)
        found = self._lines.get(key)
        if found is None:
            found = self._lines[key] = renderer.event(change, stored, first=False)
            self._bytes += len(found)
            while len(self._lines) > LINES_MAX or self._bytes > BYTES_MAX:
                self._bytes -= len(self._lines.popitem(last=False)[1])
        return found
