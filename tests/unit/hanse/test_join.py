"""What keeps a cluster from joining, and how one leaves."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest

from hanse.membership.join import JoinRefused, Place, examine, join, register
from hanse.membership.leave import Departure, leave
from shared.apimachinery.manifest import Manifest, decode
from shared.errors import MemberRefused, MemberUnreachable
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.port import MemberApi, MemberListing, ResourceType

CREDENTIALS = MemberCredentials(server="https://eu-1.example", token="secret")
SOON = timedelta(seconds=2)


class Hub:
    """The part of the hub's API that join and leave take; *verdict* plays the registry."""

    def __init__(self, verdict: Callable[[Manifest], None] | None = None) -> None:
        self.clusters: dict[str, Manifest] = {}
        self.credentials: dict[str, dict[str, Any]] = {}
        self.verdict = verdict or (lambda _manifest: None)

    async def list(self, _kind: ResourceType) -> MemberListing:
        return MemberListing(tuple(self.clusters.values()), "1")

    async def get(self, kind: ResourceType, _namespace: str, name: str) -> Manifest | None:
        if kind.resource == "namespaces":
            return {"metadata": {"name": name, "uid": "id-hub"}}
        found = self.clusters.get(name)
        if found is not None:
            self.verdict(found)
        return found

    async def apply(self, _kind: ResourceType, _namespace: str, name: str, body: bytes) -> Manifest:
        self.clusters[name] = decode(body)
        self.clusters[name]["metadata"]["uid"] = "u1"
        return self.clusters[name]

    async def put(self, path: str, body: bytes) -> bytes:
        self.credentials[path] = decode(body)
        return b"{}"

    async def delete(
        self, _kind: ResourceType, _namespace: str, name: str, *, uid: str, propagation: str
    ) -> bool:
        assert (uid, propagation) == ("u1", "Background")
        return self.clusters.pop(name, None) is not None


class Member:
    """A cluster that is about to join."""

    def __init__(self, *, version: str = "v1.31.2", denied: tuple[str, ...] = ()) -> None:
        self.version = version
        self.denied = denied
        self.id = "id-1"
        self.error: Exception | None = None
        self.namespace_error: Exception | None = None

    async def read(self, _path: str, *, deadline_seconds: float) -> bytes:
        assert deadline_seconds
        if self.error is not None:
            raise self.error
        return b'{"gitVersion": "%s"}' % self.version.encode()

    async def get(self, _kind: ResourceType, _namespace: str, name: str) -> Manifest | None:
        if self.namespace_error is not None:
            raise self.namespace_error
        return {"metadata": {"name": name, "uid": self.id}}

    async def create(self, _kind: ResourceType, _namespace: str, review: Manifest) -> Manifest:
        asked = review["spec"]["resourceAttributes"]
        everything = asked["resource"] == "*" and not self.denied
        allowed = everything or asked["resource"] not in ("*", *self.denied)
        return {"status": {"allowed": allowed}}


def hub_api(hub: Hub) -> MemberApi:
    return cast("MemberApi", hub)


def member_api(member: Member) -> MemberApi:
    return cast("MemberApi", member)


def saying(status: str, reason: str, message: str = "") -> Callable[[Manifest], None]:
    def verdict(manifest: Manifest) -> None:
        joined = {"type": "Joined", "status": status, "reason": reason, "message": message}
        manifest["status"] = {"conditions": [joined]}

    return verdict


async def test_a_cluster_that_may_join_is_registered_with_its_place_and_credentials() -> None:
    hub = Hub(saying("True", "Identified"))
    place = Place("eu-1", region="eu", zone="a", provider="acme")
    cluster = await join(hub_api(hub), member_api(Member()), place, CREDENTIALS, deadline=SOON)
    assert (cluster.spec.region, cluster.spec.zone, cluster.spec.provider) == ("eu", "a", "acme")
    assert cluster.spec.api_endpoint == "https://eu-1.example"
    (path,) = hub.credentials
    assert path == "/apis/hanse.dev/v1alpha1/clusters/eu-1/credentials"
    assert hub.credentials[path]["token"] == "secret"
    assert "secret" not in str(hub.clusters)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemberUnreachable("no route"), "cannot be reached"),
        (MemberRefused("no", reason="Unauthorized", status=401), "does not accept"),
        (MemberRefused("no", reason="Forbidden", status=403), "may not read"),
        (
            MemberRefused('User "system:anonymous" cannot', reason="Forbidden", status=403),
            "no credentials",
        ),
        (MemberRefused("no", reason="NotFound", status=404), "not answer like a Kubernetes"),
    ],
)
async def test_what_is_wrong_with_reaching_it_is_said(error: Exception, expected: str) -> None:
    member = Member()
    member.error = error
    finding, *others = (await examine(member_api(member))).findings
    assert expected in str(finding)
    assert not others


async def test_everything_that_is_missing_is_said_at_once_and_nothing_registered() -> None:
    hub = Hub()
    member = Member(version="v1.19.0", denied=("secrets", "nodes"))
    with pytest.raises(JoinRefused) as refused:
        await join(hub_api(hub), member_api(member), Place("eu-1"), CREDENTIALS)
    said = str(refused.value)
    assert "v1.19.0" in said
    assert "patch secrets" in said
    assert "list nodes" in said
    assert "deployments" not in said
    assert hub.clusters == {}
    assert hub.credentials == {}


async def test_credentials_that_may_hardly_anything_are_told_all_that_they_lack() -> None:
    member = Member(denied=("secrets",))
    member.namespace_error = MemberRefused("not for you", reason="Forbidden", status=403)
    said = " ".join(map(str, (await examine(member_api(member))).findings))
    assert "not for you" in said
    assert "patch secrets" in said


async def test_the_federation_is_no_member_of_itself() -> None:
    hub, member = Hub(), Member()
    member.id = "id-hub"
    with pytest.raises(JoinRefused, match="this federation itself"):
        await join(hub_api(hub), member_api(member), Place("eu-1"), CREDENTIALS)
    assert hub.clusters == {}


async def test_a_member_under_another_name_is_told_apart() -> None:
    hub = Hub()
    hub.clusters["old"] = {"metadata": {"name": "old"}, "status": {"id": "id-1"}}
    with pytest.raises(JoinRefused, match="already, as old"):
        await join(hub_api(hub), member_api(Member()), Place("eu-1"), CREDENTIALS)


async def test_a_name_that_stands_for_another_cluster_is_taken() -> None:
    hub = Hub()
    hub.clusters["eu-1"] = {"metadata": {"name": "eu-1"}, "status": {"id": "id-0"}}
    with pytest.raises(JoinRefused, match="another cluster is a member as eu-1"):
        await join(hub_api(hub), member_api(Member()), Place("eu-1"), CREDENTIALS)


async def test_joining_again_changes_nothing() -> None:
    hub = Hub(saying("True", "Identified"))
    for _ in range(2):
        await join(hub_api(hub), member_api(Member()), Place("eu-1"), CREDENTIALS, deadline=SOON)
    assert list(hub.clusters) == ["eu-1"]


async def test_the_registry_has_the_last_word() -> None:
    hub = Hub(saying("False", "AlreadyMember", "a member already, as x"))
    with pytest.raises(JoinRefused, match="a member already, as x"):
        await join(hub_api(hub), member_api(Member()), Place("eu-1"), CREDENTIALS, deadline=SOON)


async def test_no_word_in_time_says_what_the_registry_said_last() -> None:
    hub = Hub(saying("False", "Unreachable", "no route from here"))
    with pytest.raises(JoinRefused, match="Unreachable: no route from here"):
        await join(
            hub_api(hub),
            member_api(Member()),
            Place("eu-1"),
            CREDENTIALS,
            deadline=timedelta(milliseconds=50),
        )


async def test_leaving_deletes_the_registration_and_asks_nobody_else() -> None:
    hub = Hub()
    await register(hub_api(hub), Place("eu-1"), CREDENTIALS)
    assert await leave(hub_api(hub), "eu-1") == Departure(was_member=True)
    assert await leave(hub_api(hub), "eu-1") == Departure(was_member=False)
