"""What a cluster fills in of kinds that keep pods (`pkg/apis/{apps,batch}/v1/defaults.go`)."""

from collections.abc import Mapping
from typing import Any

from shared.apimachinery.defaults.filling import each, filled
from shared.apimachinery.defaults.pods import template_filled
from shared.apimachinery.parts import section

_ROLLING = {"type": "RollingUpdate"}


def _template(spec: dict[str, Any]) -> None:
    if section(spec, "template"):
        spec["template"] = template_filled(section(spec, "template"))


def _set(spec: dict[str, Any], **usual: Any) -> None:
    spec.update(filled(spec, usual))


def _strategy(spec: dict[str, Any], name: str, **usual: Any) -> None:
    strategy = filled(section(spec, name), _ROLLING)
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = filled(section(strategy, "rollingUpdate"), usual)
    spec[name] = strategy


def fill_deployment(spec: dict[str, Any]) -> None:
    _set(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    _strategy(spec, "strategy", maxSurge="25%", maxUnavailable="25%")
    _template(spec)


def fill_replica_set(spec: dict[str, Any]) -> None:
    _set(spec, replicas=1)
    _template(spec)


def fill_replication_controller(spec: dict[str, Any]) -> None:
    """One without a selector takes the labels of its template."""
    fill_replica_set(spec)
    labels = section(spec, "template", "metadata", "labels")
    if labels and not spec.get("selector"):
        spec["selector"] = dict(labels)


def fill_stateful_set(spec: dict[str, Any]) -> None:
    _set(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    given = section(spec, "persistentVolumeClaimRetentionPolicy")
    retention = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    spec["persistentVolumeClaimRetentionPolicy"] = filled(given, retention)
    _strategy(spec, "updateStrategy", partition=0)
    each(spec, "volumeClaimTemplates", _claim_template)
    _template(spec)


def _claim_template(one: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        **one,
        "spec": {"volumeMode": "Filesystem", **section(one, "spec")},
        "status": {"phase": "Pending"},
    }


def fill_daemon_set(spec: dict[str, Any]) -> None:
    _set(spec, revisionHistoryLimit=10)
    _strategy(spec, "updateStrategy", maxSurge=0, maxUnavailable=1)
    _template(spec)


def fill_job(spec: dict[str, Any]) -> None:
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    by_policy = spec.get("podFailurePolicy") is not None
    _set(
        spec,
        parallelism=1,
        backoffLimit=_ENDLESS if spec.get("backoffLimitPerIndex") is not None else 6,
        completionMode="NonIndexed",
        suspend=False,
        manualSelector=False,
        podReplacementPolicy="Failed" if by_policy else "TerminatingOrFailed",
    )
    _template(spec)


# Where each index has a limit of its own.
_ENDLESS = 2**31 - 1


def fill_cron_job(spec: dict[str, Any]) -> None:
    _set(
        spec,
        concurrencyPolicy="Allow",
        suspend=False,
        successfulJobsHistoryLimit=3,
        failedJobsHistoryLimit=1,
    )
    template = section(spec, "jobTemplate")
    if template:
        job = dict(section(template, "spec"))
        _template(job)
        spec["jobTemplate"] = {"metadata": {}, **template, "spec": job}
