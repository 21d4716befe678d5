"""What is made when somebody looks has all that a stored object has."""

from services.gateway.view import Made
from shared.apimachinery.manifest import Manifest, ObjectKey, decode
from shared.store.port import Revision, Stored

KEY = ObjectKey("", "events", "shop", "web")


class Counted(Made):
    __slots__ = ("made",)

    def __init__(self) -> None:
        super().__init__(KEY, Revision(7))
        self.made = 0

    def _made(self) -> Manifest:
        self.made += 1
        return {"kind": "Event", "metadata": {"name": "web", "labels": {"a": "b"}}}


def test_it_has_all_that_a_stored_object_has():
    made = Counted()
    assert all(hasattr(made, name) for name in Stored.__slots__)
    assert made.size > 0


def test_it_is_made_once_and_carries_its_revision():
    made = Counted()
    assert decode(made.encoded) == made.manifest
    assert made.manifest["metadata"]["resourceVersion"] == "7"
    assert made.labels == {"a": "b"}
    assert made.made == 1
