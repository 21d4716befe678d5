"""Telling a change of status without reading the whole object."""

from typing import Any

import pytest

from shared.apimachinery.manifest import Manifest, ObjectKey, encode
from shared.store.port import Change, ChangeType, Revision, Stored

KEY = ObjectKey("apps", "deployments", "shop", "web")


def make(*, encoded: bool, ready: int = 0, **metadata: Any) -> Stored:
    manifest: Manifest = {
        "metadata": {"name": "web", "uid": "u", "generation": 1, **metadata},
        "spec": {"replicas": 1},
        "status": {"readyReplicas": ready},
    }
    if encoded:
        return Stored(KEY, Revision(1), encoded=encode(manifest))
    return Stored(KEY, Revision(1), manifest)


@pytest.mark.parametrize("before_encoded", [True, False])
@pytest.mark.parametrize("after_encoded", [True, False])
def test_a_new_status_is_told_from_a_new_object(
    *, before_encoded: bool, after_encoded: bool
) -> None:
    before = make(encoded=before_encoded)
    after = make(encoded=after_encoded, ready=1, resourceVersion="2", managedFields=[{"a": 1}])
    assert Change(ChangeType.MODIFIED, after, before).only_status


@pytest.mark.parametrize(
    "metadata",
    [
        {"generation": 2},
        {"uid": "another"},
        {"labels": {"a": "b"}},
        {"annotations": {"a": "b"}},
        {"finalizers": ["hold"]},
        {"ownerReferences": [{"uid": "o"}]},
        {"deletionTimestamp": "2026-01-01T00:00:00Z"},
    ],
)
@pytest.mark.parametrize("encoded", [True, False])
def test_what_a_reconciler_goes_by_is_more_than_status(
    *, metadata: dict[str, Any], encoded: bool
) -> None:
    before, after = make(encoded=encoded), make(encoded=encoded, **metadata)
    assert not Change(ChangeType.MODIFIED, after, before).only_status


def test_without_a_generation_nothing_can_be_told() -> None:
    before, after = make(encoded=True, generation=None), make(encoded=True, generation=None)
    assert not Change(ChangeType.MODIFIED, after, before).only_status


def test_what_comes_or_goes_is_more_than_status() -> None:
    stored = make(encoded=True)
    assert not Change(ChangeType.ADDED, stored).only_status
    assert not Change(ChangeType.DELETED, stored, stored).only_status
