"""What `kubectl get` shows of traffic policies and global zones."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.api.columns import AGE, PrinterColumn, condition_cell, message_cell
from shared.api.global_zone import (
    ACCEPTED,
    ENDPOINTS_WRITTEN,
    NAMES_RESOLVE,
    TRANSFERABLE,
    UPDATED,
)
from shared.api.traffic_policy import CARRIED, CLUSTERS_KNOWN, ROUTED, WHOLE
from shared.apimachinery.manifest import Manifest

_SHOWN_MAX = 4


def _status(manifest: Manifest) -> Mapping[str, Any]:
    return manifest.get("status") or {}


def percent(share: int) -> str:
    """`33.3%`, of 3,333 parts of 10,000; what is not nothing does not look like it."""
    found = f"{share * 100 / WHOLE:.1f}".removesuffix(".0")
    return f"{found}%" if share == 0 or found != "0" else "<0.1%"


def _split(manifest: Manifest, _: datetime) -> str:
    """`eu-1:75%,us-1:25%`: of traffic from no region in particular, the greatest first."""
    splits = {one.get("region", ""): one for one in _status(manifest).get("splits") or ()}
    clusters = (splits.get("") or {}).get("clusters") or ()
    shares = [(-int(one.get("share", 0)), str(one.get("name"))) for one in clusters]
    shown = [f"{name}:{percent(-share)}" for share, name in sorted(shares) if share]
    more = len(shown) - _SHOWN_MAX
    return ",".join(shown[:_SHOWN_MAX] + [f"+{more}"] * (more > 0)) or "<none>"


def _shift(manifest: Manifest, _: datetime) -> str:
    shift = _status(manifest).get("shift")
    if not shift:
        return "<none>"
    return f"{shift.get('phase', 'Progressing')} {shift.get('percentage', 0)}%"


TRAFFIC_COLUMNS = (
    PrinterColumn(name="Service", json_path=".spec.service"),
    PrinterColumn(name="Routed", cell=condition_cell(ROUTED)),
    PrinterColumn(
        name="Split", description="Of traffic from no region in particular.", cell=_split
    ),
    PrinterColumn(name="Shift", description="How far it has come.", cell=_shift),
    PrinterColumn(name="Message", wide=True, cell=message_cell(ROUTED, CLUSTERS_KNOWN, CARRIED)),
    AGE,
)

ZONE_COLUMNS = (
    PrinterColumn(name="Domain", json_path=".spec.domain"),
    PrinterColumn(name="Accepted", cell=condition_cell(ACCEPTED)),
    PrinterColumn(
        name="Names", type="integer", json_path=".status.names", description="Hosts answered for."
    ),
    PrinterColumn(name="Resolve", cell=condition_cell(NAMES_RESOLVE)),
    PrinterColumn(
        name="Message",
        wide=True,
        cell=message_cell(ACCEPTED, NAMES_RESOLVE, TRANSFERABLE, UPDATED, ENDPOINTS_WRITTEN),
    ),
    AGE,
)
