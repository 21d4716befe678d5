"""Kinds that a member does not serve are named, whatever its words for that are."""

import pytest

from services.propagator.core.unserved import in_words
from shared.apimachinery.manifest import GroupVersionKind
from shared.errors import MemberRefused
from shared.memberapi.port import ResourceType

WIDGETS = ResourceType(GroupVersionKind("acme.example", "v1", "Widget"), "widgets", namespaced=True)
LEASES = ResourceType(
    GroupVersionKind("coordination.k8s.io", "v2", "Lease"), "leases", namespaced=True
)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("404 page not found", "HTTP404"),
        ("the server could not find the requested resource", "NotFound"),
    ],
)
def test_a_path_without_anything_is_a_kind_that_is_not_served(message: str, reason: str) -> None:
    found = in_words(MemberRefused(message, reason=reason, status=404), WIDGETS, "eu-1")
    assert (found.reason, found.status) == ("NoKindMatch", 404)
    assert "member eu-1 does not serve Widget of acme.example/v1" in str(found)
    assert "CustomResourceDefinition" in str(found)
    built_in = in_words(MemberRefused(message, reason=reason, status=404), LEASES, "eu-1")
    assert "its version of Kubernetes has no such kind" in str(built_in)


def test_other_refusals_keep_their_words() -> None:
    for err in (
        MemberRefused('namespaces "shop" not found', reason="NotFound", status=404),
        MemberRefused("404 page not found", reason="HTTP403", status=403),
    ):
        assert in_words(err, WIDGETS, "eu-1") is err
