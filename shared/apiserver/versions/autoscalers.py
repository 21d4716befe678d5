"""Autoscalers of autoscaling/v1 as those of v2, which are stored, and back. Pure.

Source: `k8s.io/kubernetes/pkg/apis/autoscaling/v1/conversion.go`. What v1 cannot say travels in
annotations, as there.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from shared.apimachinery.manifest import Manifest, metadata_of
from shared.apimachinery.parts import section

_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CPU = "targetCPUUtilizationPercentage"
_CURRENT_CPU = "currentCPUUtilizationPercentage"
_V1, _V2 = "autoscaling/v1", "autoscaling/v2"


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
        # Last, where a real server puts it too.
        metrics = [*metrics, {"type": "Resource", "resource": {"name": "cpu", "target": target}}]
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
    of_cpu = [percent for one in metrics if (percent := _cpu_percent(one)) is not None]
    if of_cpu:
        spec[_CPU] = of_cpu[0]
        metrics = [one for one in metrics if _cpu_percent(one) is None]
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
