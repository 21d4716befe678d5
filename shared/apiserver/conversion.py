"""The one built-in kind with two versions that differ: autoscalers are stored as autoscaling/v2.

Source: `k8s.io/kubernetes/pkg/apis/autoscaling/v1/conversion.go`. What v1 cannot say travels in
annotations, as there. All other versions of a kind differ in name only (CustomResourceDefinitions
without a webhook), which is the renderer's affair.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from shared.apimachinery.manifest import (
    GroupResource,
    GroupVersionKind,
    Manifest,
    ObjectKey,
    metadata_of,
)
from shared.apimachinery.parts import section
from shared.store.port import (
    EVERYTHING,
    Change,
    Listing,
    Mirror,
    ObjectStore,
    Revision,
    Scope,
    Stored,
    Watch,
)

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CPU = "targetCPUUtilizationPercentage"
_CURRENT_CPU = "currentCPUUtilizationPercentage"
_V1, _V2 = "autoscaling/v1", "autoscaling/v2"

Convert = Callable[[Manifest], Manifest]


@dataclass(frozen=True, slots=True)
class Conversion:
    """From a version that is served to the one that is stored, and back."""

    to_stored: Convert
    to_served: Convert


def conversion_of(kind: GroupVersionKind) -> Conversion | None:
    """None for a kind that is stored as it is served."""
    return _CONVERSIONS.get(kind)


def to_v2(manifest: Manifest) -> Manifest:
    """An autoscaler of v1 as v2; annotations that cannot be read are left alone."""
    if manifest.get("apiVersion") != _V1:
        return manifest
    spec = {name: value for name, value in section(manifest, "spec").items() if name != _CPU}
    metadata, extra = _without_annotations(manifest)
    metrics = extra.get(_METRICS) or []
    percent = section(manifest, "spec").get(_CPU)
    if percent is not None:
        target = {"type": "Utilization", "averageUtilization": percent}
        metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}, *metrics]
    if metrics:
        spec["metrics"] = metrics
    if extra.get(_BEHAVIOR):
        spec["behavior"] = extra[_BEHAVIOR]
    found = {**manifest, "apiVersion": _V2, "metadata": metadata, "spec": spec}
    if isinstance(manifest.get("status"), dict):
        found["status"] = _status_v2(manifest["status"])
    return found


def to_v1(manifest: Manifest) -> Manifest:
    """An autoscaler of v2 as v1."""
    if manifest.get("apiVersion") == _V1:
        return manifest
    spec = dict(section(manifest, "spec"))
    metrics, behavior = spec.pop("metrics", None) or [], spec.pop("behavior", None)
    first = next((one for one in metrics if _cpu_percent(one) is not None), None)
    if first is not None:
        spec[_CPU] = _cpu_percent(first)
        metrics = [one for one in metrics if one is not first]
    metadata = dict(metadata_of(manifest))
    annotations = dict(metadata.get("annotations") or {})
    for name, value in ((_METRICS, metrics), (_BEHAVIOR, behavior)):
        if value:
            annotations[name] = msgspec.json.encode(value).decode()
    if annotations:
        metadata["annotations"] = annotations
    found = {**manifest, "apiVersion": _V1, "metadata": metadata, "spec": spec}
    if isinstance(manifest.get("status"), dict):
        found["status"] = _status_v1(manifest["status"])
    return found


def _status_v2(status: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in status.items() if name != _CURRENT_CPU}
    percent = status.get(_CURRENT_CPU)
    if percent is not None and not kept.get("currentMetrics"):
        current = {"averageUtilization": percent}
        metric = {"type": "Resource", "resource": {"name": "cpu", "current": current}}
        kept["currentMetrics"] = [metric]
    return kept


def _status_v1(status: Mapping[str, Any]) -> dict[str, Any]:
    kept = {
        name: value
        for name, value in status.items()
        if name not in ("conditions", "currentMetrics")
    }
    for one in status.get("currentMetrics") or ():
        resource = section(one, "resource")
        percent = section(resource, "current").get("averageUtilization")
        if resource.get("name") == "cpu" and percent is not None:
            kept[_CURRENT_CPU] = percent
    return kept


def _cpu_percent(metric: Any) -> Any:
    resource = section(metric, "resource") if isinstance(metric, dict) else {}
    if resource.get("name") != "cpu":
        return None
    return section(resource, "target").get("averageUtilization")


def _without_annotations(manifest: Manifest) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the metadata without the annotations that stand for fields of v2, and those fields."""
    metadata = dict(metadata_of(manifest))
    annotations = metadata.get("annotations")
    extra: dict[str, Any] = {}
    if not isinstance(annotations, dict):
        return metadata, extra
    kept = dict(annotations)
    for name, kind in ((_METRICS, list), (_BEHAVIOR, dict)):
        try:
            found = msgspec.json.decode(str(kept.get(name) or "null"))
        except msgspec.DecodeError:
            continue
        if isinstance(found, kind):
            extra[name] = found
            del kept[name]
    metadata.pop("annotations")
    if kept:
        metadata["annotations"] = kept
    return metadata, extra


_CONVERSIONS = {
    GroupVersionKind("autoscaling", "v1", "HorizontalPodAutoscaler"): Conversion(to_v2, to_v1)
}


class ConvertedStore:
    """Implements `ObjectStore`: one resource in another version than the stored one."""

    def __init__(self, store: ObjectStore, resource: GroupResource, conversion: Conversion) -> None:
        self._store = store
        self._resource = resource
        self._conversion = conversion
        self.mirror: Mirror = _ConvertedMirror(store.mirror, self.served)

    def served(self, stored: Stored) -> Stored:
        if stored.key.group_resource != self._resource:
            return stored
        manifest = self._conversion.to_served(stored.manifest)
        return Stored(stored.key, stored.revision, manifest, stored.trace)

    def _kept(self, key: ObjectKey, manifest: Manifest) -> Manifest:
        convert = self._conversion.to_stored
        return convert(manifest) if key.group_resource == self._resource else manifest

    async def get(self, key: ObjectKey, *, not_older_than: Revision | None = None) -> Stored | None:
        found = await self._store.get(key, not_older_than=not_older_than)
        return self.served(found) if found is not None else None

    async def list(self, scope: Scope, *, not_older_than: Revision | None = None) -> Listing:
        return self._converted(await self._store.list(scope, not_older_than=not_older_than))

    async def list_at(self, scope: Scope, revision: Revision) -> Listing:
        return self._converted(await self._store.list_at(scope, revision))

    def _converted(self, listing: Listing) -> Listing:
        return replace(listing, items=tuple(self.served(one) for one in listing.items))

    async def create(self, key: ObjectKey, manifest: Manifest) -> Stored:
        return self.served(await self._store.create(key, self._kept(key, manifest)))

    async def update(self, key: ObjectKey, manifest: Manifest, *, expected: Revision) -> Stored:
        kept = self._kept(key, manifest)
        return self.served(await self._store.update(key, kept, expected=expected))

    async def delete(self, key: ObjectKey, last: Manifest, *, expected: Revision) -> Stored:
        kept = self._kept(key, last)
        return self.served(await self._store.delete(key, kept, expected=expected))

    @asynccontextmanager
    async def watch(self, scope: Scope, *, since: Revision) -> AsyncIterator[Watch]:
        async with self._store.watch(scope, since=since) as watch:
            yield _ConvertedWatch(watch, self.served)


class _ConvertedMirror:
    def __init__(self, mirror: Mirror, served: Callable[[Stored], Stored]) -> None:
        self._mirror = mirror
        self._served = served

    @property
    def revision(self) -> Revision:
        return self._mirror.revision

    def get(self, key: ObjectKey) -> Stored | None:
        found = self._mirror.get(key)
        return self._served(found) if found is not None else None

    def items(self, scope: Scope = EVERYTHING) -> Iterable[Stored]:
        return map(self._served, self._mirror.items(scope))

    def on_change(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        return self._mirror.on_change(listener)


class _ConvertedWatch:
    def __init__(self, watch: Watch, served: Callable[[Stored], Stored]) -> None:
        self._watch = watch
        self._served = served

    def __aiter__(self) -> AsyncIterator[Change]:
        return self

    async def __anext__(self) -> Change:
        return self._converted(await self._watch.__anext__())

    async def batch(self) -> Sequence[Change]:
        return [self._converted(change) for change in await self._watch.batch()]

    def _converted(self, change: Change) -> Change:
        before = change.previous
        return Change(
            change.type,
            self._served(change.stored),
            self._served(before) if before is not None else None,
        )

    @property
    def revision(self) -> Revision:
        return self._watch.revision
