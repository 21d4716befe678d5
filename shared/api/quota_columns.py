"""What `kubectl get` shows of quotas."""

from datetime import datetime

from shared.api.columns import AGE, PrinterColumn
from shared.apimachinery.manifest import Manifest


def _used(manifest: Manifest, _: datetime) -> str:
    """`cpu: 3/10, pods: 6/20`."""
    hard = (manifest.get("spec") or {}).get("overall") or {}
    used = (manifest.get("status") or {}).get("overallUsed") or {}
    return ", ".join(f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard))


QUOTA_COLUMNS = (
    PrinterColumn(name="Used", description="Of what is allowed in all.", cell=_used),
    AGE,
)
