"""Statuses of very many members: row 19 of docs/complaints.md."""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.health.core.fold import binding_status, fold
from shared.api.binding import (
    BindingSpec,
    ObjectReference,
    PolicyReference,
    ResourceBinding,
    TargetCluster,
)
from shared.api.meta import ObjectMeta, section
from shared.apimachinery.manifest import Manifest, encode
from shared.bus.topology import MEBIBYTE
from shared.events.work import WorkReport
from shared.interpreter.registry import BUILT_IN
from shared.store.body import STORED_BYTES_MAX


def test_row_19_what_a_thousand_members_report_fits_into_one_object() -> None:
    """Statuses outgrew what the store takes (rancher/fleet#3482, karmada#4549, OCM work#185).

    Each member's is bounded, and bounded is their sum.
    """
    clusters = [f"a-cluster-with-a-long-name-{number:04}" for number in range(1_000)]
    widget = {"apiVersion": "acme.example/v1", "kind": "Widget", "metadata": {"generation": 7}}
    known = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"generation": 7}}
    condition = {"type": "T" * 20, "status": "True", "message": "m" * 10_000}
    statuses = [
        reflected({**widget, "status": {"text": "x" * 4_000}}),
        reflected({**widget, "status": {"text": "x" * 3_000_000, "conditions": [condition] * 3}}),
        reflected({**known, "status": {"replicas": 1, "conditions": [condition] * 5}}),
    ]
    for status in statuses:
        reports = {
            cluster: WorkReport(
                generation=9,
                applied=False,
                present=True,
                template_uid="u",
                template_generation=1,
                reason="Invalid",
                message="y" * 1_000,
                status=status,
                observed_time="2026-01-01T00:00:00.000000Z",
            )
            for cluster in clusters
        }
        binding = a_binding(clusters)
        found = binding_status(binding, fold(binding, reports, ()), (), now="t")
        stored = encode(section(msgspec.structs.replace(binding, status=found)))
        assert MEBIBYTE < len(stored) < STORED_BYTES_MAX


def reflected(manifest: Manifest) -> dict[str, Any]:
    return BUILT_IN.of(manifest).reflect(manifest)


def a_binding(clusters: Sequence[str]) -> ResourceBinding:
    return ResourceBinding(
        metadata=ObjectMeta(name="w", namespace="shop", generation=1),
        spec=BindingSpec(
            resource=ObjectReference(
                api_version="acme.example/v1", kind="Widget", resource="widgets", name="w", uid="u"
            ),
            policy=PolicyReference(kind="PropagationPolicy", name="p"),
            clusters=tuple(TargetCluster(name=name) for name in clusters),
        ),
    )
