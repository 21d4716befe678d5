"""What `kubectl get` shows of rebalancers."""

from datetime import datetime

from shared.api.columns import AGE, PrinterColumn
from shared.apimachinery.manifest import Manifest


def _done(manifest: Manifest, _: datetime) -> str:
    """`2/3`: how many workloads have a result, of all that it names."""
    status = manifest.get("status") or {}
    observed = status.get("observedWorkloads") or ()
    return f"{sum(1 for one in observed if one.get('result'))}/{len(observed)}"


def _failed(manifest: Manifest, _: datetime) -> int:
    observed = (manifest.get("status") or {}).get("observedWorkloads") or ()
    return sum(1 for one in observed if one.get("result") == "Failed")


REBALANCER_COLUMNS = (
    PrinterColumn(name="Done", description="Workloads that have a result.", cell=_done),
    PrinterColumn(name="Failed", type="integer", cell=_failed),
    PrinterColumn(name="Finished", type="date", json_path=".status.finishTime"),
    AGE,
)
