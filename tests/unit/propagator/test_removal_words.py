"""How a removal is ordered, and what is said of one that is held up."""

import pytest

from services.propagator.core.farewell import Farewell, farewell_of, is_leaving, released
from services.propagator.core.removing import held_up
from services.propagator.core.works import Held, make_tombstone
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.events.work import decode_order

KEY = ObjectKey("", "configmaps", "shop", "a")
HELD = Held(1, "d", "u", 1, "v1", "ConfigMap", deleted=False, preserve_on_deletion=False)
SINCE = "2026-01-01T00:00:00Z"


def going(*finalizers: str, **more: object) -> Manifest:
    return {"metadata": {"deletionTimestamp": SINCE, "finalizers": list(finalizers)}, **more}


def test_a_plain_tombstone_says_nothing_of_how() -> None:
    plain = decode_order(make_tombstone(KEY, HELD).body)
    assert (bool(plain.cascade), plain.preserve_on_deletion) == (False, False)
    assert b"cascade" not in make_tombstone(KEY, HELD).body


@pytest.mark.parametrize(
    ("spec", "template", "farewell"),
    [
        ({}, None, Farewell()),
        ({"preserveResourcesOnDeletion": True}, None, Farewell(preserve=True, orphan=True)),
        ({}, going("foregroundDeletion"), Farewell(cascade="Foreground")),
        ({}, going("example.com/mine"), Farewell()),
    ],
)
def test_how_is_read_from_what_the_hub_left(
    spec: Manifest, template: Manifest | None, farewell: Farewell
) -> None:
    found = farewell_of(going(spec=spec), template)
    assert found == farewell
    order = decode_order(make_tombstone(KEY, HELD, found).body)
    assert order.is_tombstone
    assert order.preserve_on_deletion == farewell.preserve
    assert (order.cascade or "Background") == farewell.cascade
    assert bool(order.orphaned) == farewell.orphan


def test_a_binding_may_go_once_no_other_finalizer_holds_it() -> None:
    assert is_leaving(going("hanse.dev/works"))
    assert not is_leaving({"metadata": {"finalizers": ["hanse.dev/works"]}})
    manifest, may_go = released(going("hanse.dev/works"))
    assert may_go
    assert "finalizers" not in manifest["metadata"]
    manifest, may_go = released(going("hanse.dev/works", "foregroundDeletion"))
    assert not may_go
    assert manifest["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_what_holds_an_object_is_named_with_since_when() -> None:
    assert held_up(going("a", "b")) == f"held by a, b since {SINCE}"
    assert held_up(going()) == held_up(None) == ""
    assert held_up({"metadata": {"finalizers": ["a"]}}) == ""


def test_a_namespace_names_what_is_left_in_it() -> None:
    left = "Some resources are remaining: pods. has 2 resource instances"
    conditions = [
        {"type": "NamespaceContentRemaining", "status": "True", "message": left},
        {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "no"},
    ]
    namespace = going(apiVersion="v1", kind="Namespace", status={"conditions": conditions})
    assert held_up(namespace) == f"held by {left} since {SINCE}"
