"""Paths of requests: one object's is never its collection's."""

import pytest

from shared.apimachinery.manifest import GroupVersionKind
from shared.errors import InvalidObject
from shared.memberapi.port import ResourceType
from shared.memberapi.request import apply_request, delete_request, get_request

ROLES = ResourceType(
    GroupVersionKind("rbac.authorization.k8s.io", "v1", "ClusterRole"),
    "clusterroles",
    namespaced=False,
)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b"])
def test_what_is_no_name_makes_no_request(name: str) -> None:
    with pytest.raises(InvalidObject):
        delete_request(ROLES, "", name, uid="u", propagation="Background")
    with pytest.raises(InvalidObject):
        get_request(ROLES, "", name)
    with pytest.raises(InvalidObject):
        apply_request(ROLES, "", name, b"{}", force=True)


def test_names_of_rbac_keep_their_colons() -> None:
    found = get_request(ROLES, "", "system:zoo:a b")
    assert found.target == "/apis/rbac.authorization.k8s.io/v1/clusterroles/system:zoo:a%20b"
