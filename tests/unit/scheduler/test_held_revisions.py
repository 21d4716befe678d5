"""Which other words of a template are held by clusters, as rollouts and revisions tell."""

from typing import Any

from services.scheduler.cache.held_revisions import HeldRevisions
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.store.port import Change, ChangeType, Revision, Stored

WEB = ObjectKey("apps", "deployments", "shop", "web")
RESOURCE = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "resource": "deployments",
    "namespace": "shop",
    "name": "web",
}


def change(resource: str, manifest: Manifest, *, gone: bool = False) -> Change:
    key = ObjectKey("hanse.dev", resource, "shop", "web-deployment")
    kind = ChangeType.DELETED if gone else ChangeType.MODIFIED
    return Change(kind, Stored(key, Revision(1), manifest))


def rollout(target: int, complete: int, *clusters: int, gone: bool = False) -> Change:
    status: dict[str, Any] = {
        "resource": RESOURCE,
        "targetRevision": target,
        "completeRevision": complete,
        "clusters": [{"name": f"c{number}", "revision": number} for number in clusters],
    }
    return change("resourcerollouts", {"status": status}, gone=gone)


def revision(number: int, *, gone: bool = False) -> Change:
    spec = {"resource": RESOURCE, "revision": number, "digest": "d", "template": {"n": number}}
    return change("resourcerevisions", {"spec": spec}, gone=gone)


def numbers(held: HeldRevisions) -> list[int]:
    return [one["n"] for one in held.of(WEB)]


def test_what_is_in_use_counts_whichever_is_seen_first():
    held = HeldRevisions()
    assert held.note(rollout(3, 1, 1, 2, 3)) is None
    assert held.note(revision(1)) == WEB
    assert held.note(revision(2)) == WEB
    assert held.note(revision(9)) is None, "nobody holds it"
    assert numbers(held) == [1, 2]
    assert held.note(rollout(3, 3, 3)) == WEB
    assert numbers(held) == []
    assert held.note(revision(3)) == WEB
    assert numbers(held) == [3]


def test_it_is_the_same_while_nothing_changes():
    held = HeldRevisions()
    held.note(revision(1))
    held.note(rollout(1, 1, 1))
    before = held.of(WEB)
    assert held.note(rollout(1, 1, 1, 1)) is None
    assert held.of(WEB) is before
    assert held.of(ObjectKey("", "configmaps", "shop", "a")) is HeldRevisions().of(WEB)


def test_what_is_gone_counts_no_more_and_what_is_unreadable_counts_on():
    held = HeldRevisions()
    held.note(revision(1))
    held.note(rollout(1, 1, 1))
    assert held.note(change("resourcerollouts", {"status": {"clusters": 7}})) is None
    assert held.note(change("resourcerollouts", {})) is None
    assert numbers(held) == [1]
    assert held.note(revision(1, gone=True)) == WEB
    assert held.note(revision(1)) == WEB
    assert held.note(rollout(1, 1, 1, gone=True)) == WEB
    assert numbers(held) == []
