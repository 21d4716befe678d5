"""What `kubectl get` shows of rollouts and revisions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.api.columns import AGE, PrinterColumn
from shared.apimachinery.manifest import Manifest


def _status(manifest: Manifest) -> Mapping[str, Any]:
    return manifest.get("status") or {}


def _updated(manifest: Manifest, _: datetime) -> str:
    """`2/5`: how many clusters hold the target, of all that are to."""
    status = _status(manifest)
    target = status.get("targetRevision")
    clusters = status.get("clusters") or ()
    done = [one for one in clusters if one.get("revision") == target]
    return f"{sum(1 for one in done if one.get('state') == 'Updated')}/{len(clusters)}"


def _phase(manifest: Manifest, _: datetime) -> str:
    return str(_status(manifest).get("phase") or "Progressing")


def _overrides(manifest: Manifest, _: datetime) -> str:
    listed = (manifest.get("spec") or {}).get("overrides") or ()
    return ",".join(str(one.get("name")) for one in listed) or "<none>"


ROLLOUT_COLUMNS = (
    PrinterColumn(name="Phase", cell=_phase),
    PrinterColumn(name="Stage", json_path=".status.stage"),
    PrinterColumn(
        name="Updated", description="Clusters that are well with the target.", cell=_updated
    ),
    PrinterColumn(name="Target", type="integer", json_path=".status.targetRevision"),
    PrinterColumn(
        name="Complete",
        type="integer",
        description="The last revision that went through all stages.",
        json_path=".status.completeRevision",
    ),
    PrinterColumn(name="Kind", wide=True, json_path=".status.resource.kind"),
    PrinterColumn(name="Object", wide=True, json_path=".status.resource.name"),
    PrinterColumn(name="Message", wide=True, json_path=".status.message"),
    AGE,
)
REVISION_COLUMNS = (
    PrinterColumn(name="Kind", json_path=".spec.resource.kind"),
    PrinterColumn(name="Object", json_path=".spec.resource.name"),
    PrinterColumn(name="Revision", type="integer", json_path=".spec.revision"),
    PrinterColumn(name="Overrides", description="Policies that applied.", cell=_overrides),
    PrinterColumn(name="Digest", wide=True, json_path=".spec.digest"),
    AGE,
)
