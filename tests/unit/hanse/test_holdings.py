"""Reading what a member holds."""

from typing import cast

from hanse.demo.holdings import MARK, Held, read_member
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.memberapi.port import MemberApi, MemberListing, ResourceType

SCALER: Manifest = {
    "metadata": {"name": "web", "namespace": "shop", "annotations": {MARK: "uid"}},
}


class Lister:
    """Lists the same object in every version of its kind, as a member does."""

    async def list(self, kind: ResourceType, **_options: str) -> MemberListing:
        return MemberListing(({**SCALER, "apiVersion": kind.gvk.api_version},), "1")


async def test_an_object_served_in_two_versions_is_one_object() -> None:
    kinds = [
        ResourceType(
            GroupVersionKind("autoscaling", version, "HorizontalPodAutoscaler"),
            "horizontalpodautoscalers",
            namespaced=True,
        )
        for version in ("v1", "v2")
    ]
    found = await read_member("eu-1", cast("MemberApi", Lister()), kinds)
    assert list(found) == [Held("eu-1", "autoscaling", "HorizontalPodAutoscaler", "shop", "web")]
