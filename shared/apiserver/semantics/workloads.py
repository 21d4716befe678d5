"""Kinds that keep a number of pods running: their selectors, numbers and strategies."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.claims import claim_spec
from shared.apiserver.semantics.faults import (
    amount,
    at_least,
    forbidden,
    invalid,
    is_nothing,
    one_of,
    required,
    text,
    unsupported,
)
from shared.apiserver.semantics.pods import lasting_template, pod_template
from shared.apiserver.semantics.selectors import readable, template_matches, workload_selector
from shared.errors import FieldError

_COUNTS = ("replicas", "minReadySeconds")


def judge_deployment(manifest: Manifest) -> list[FieldError]:
    return list(_deployment(section(manifest, "spec")))


def _deployment(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    yield from _kept(spec, "deployment")
    strategy = section(spec, "strategy")
    kind, rolling = strategy.get("type"), strategy.get("rollingUpdate")
    at = "spec.strategy.rollingUpdate"
    if kind == "Recreate" and rolling is not None:
        yield forbidden(at, "may not be specified when strategy `type` is 'Recreate'")
    elif kind == "RollingUpdate":
        yield from _rolling(section(strategy, "rollingUpdate"), at)
    elif kind not in (None, "Recreate"):
        yield unsupported("spec.strategy", strategy, ("Recreate", "RollingUpdate"))
    yield from at_least(spec, "spec", ("revisionHistoryLimit", "progressDeadlineSeconds"))
    deadline = spec.get("progressDeadlineSeconds")
    if isinstance(deadline, int) and deadline <= (spec.get("minReadySeconds") or 0):
        why = "must be greater than minReadySeconds"
        yield invalid("spec.progressDeadlineSeconds", deadline, why)


def _rolling(rolling: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from amount(rolling, "maxUnavailable", path, whole=True)
    yield from amount(rolling, "maxSurge", path)
    if is_nothing(rolling.get("maxSurge")) and is_nothing(rolling.get("maxUnavailable")):
        why = "may not be 0 when `maxSurge` is 0"
        yield invalid(f"{path}.maxUnavailable", rolling.get("maxUnavailable"), why)


def judge_replica_set(manifest: Manifest) -> list[FieldError]:
    # Upstream says "deployment" here too.
    return list(_kept(section(manifest, "spec"), "deployment"))


def judge_replication_controller(manifest: Manifest) -> list[FieldError]:
    return list(_replication_controller(section(manifest, "spec")))


def _replication_controller(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    yield from at_least(spec, "spec", _COUNTS)
    wanted = section(spec, "selector")
    if not wanted:
        yield required("spec.selector")
    if spec.get("template") is None:
        yield required("spec.template")
        return
    if wanted:
        yield from template_matches(spec, "spec", readable({"matchLabels": wanted}))
    yield from lasting_template(spec, "spec")


def judge_pod_template(manifest: Manifest) -> list[FieldError]:
    return list(pod_template(section(manifest, "template"), "template"))


def judge_stateful_set(manifest: Manifest) -> list[FieldError]:
    return list(_stateful_set(section(manifest, "spec")))


def _stateful_set(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    management = spec.get("podManagementPolicy")
    if management not in (None, "OrderedReady", "Parallel"):
        yield invalid(
            "spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'"
        )
    yield from _stateful_update(section(spec, "updateStrategy"), "spec.updateStrategy")
    retention = section(spec, "persistentVolumeClaimRetentionPolicy")
    for name in ("whenDeleted", "whenScaled"):
        at = "spec.persistentVolumeClaimRetentionPolicy"
        yield from one_of(retention, name, at, ("Retain", "Delete"))
    claims = entries(spec, "volumeClaimTemplates")
    for number, one in enumerate(claims):
        yield from claim_spec(section(one, "spec"), f"spec.volumeClaimTemplates[{number}].spec")
    yield from at_least(section(spec, "ordinals"), "spec.ordinals", ("start",))
    if spec.get("serviceName"):
        yield from text(spec["serviceName"], "spec.serviceName", texts.label)
    names = frozenset(str(section(one, "metadata").get("name")) for one in claims)
    yield from _kept(spec, "statefulset", claims=names)


def _stateful_update(update: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    kind, rolling = update.get("type"), update.get("rollingUpdate")
    at = f"{path}.rollingUpdate"
    match kind:
        case "OnDelete":
            if rolling is not None:
                yield invalid(at, rolling, "only allowed for updateStrategy 'RollingUpdate'")
        case "RollingUpdate":
            found = section(update, "rollingUpdate")
            yield from at_least(found, at, ("partition",))
            yield from amount(found, "maxUnavailable", at, whole=True)
            if found.get("maxUnavailable") is not None and is_nothing(found["maxUnavailable"]):
                yield invalid(f"{at}.maxUnavailable", found["maxUnavailable"], "cannot be 0")
        case _:
            yield invalid(path, update, "must be 'RollingUpdate' or 'OnDelete'")


def judge_daemon_set(manifest: Manifest) -> list[FieldError]:
    return list(_daemon_set(section(manifest, "spec")))


def _daemon_set(spec: Mapping[str, Any]) -> Iterator[FieldError]:
    yield from workload_selector(spec, "spec", "daemonset")
    yield from lasting_template(spec, "spec")
    yield from at_least(spec, "spec", ("minReadySeconds", "revisionHistoryLimit"))
    update = section(spec, "updateStrategy")
    if update.get("type") == "RollingUpdate":
        yield from _daemon_rolling(section(update, "rollingUpdate"))
    elif update.get("type") != "OnDelete":
        yield unsupported("spec.updateStrategy", update, ("RollingUpdate", "OnDelete"))


def _daemon_rolling(rolling: Mapping[str, Any]) -> Iterator[FieldError]:
    at = "spec.updateStrategy.rollingUpdate"
    for name in ("maxUnavailable", "maxSurge"):
        yield from amount(rolling, name, at, whole=True)
    surge, away = (not is_nothing(rolling.get(name)) for name in ("maxSurge", "maxUnavailable"))
    if surge and away:
        why = "may not be set when maxUnavailable is non-zero"
        yield invalid(f"{at}.maxSurge", rolling.get("maxSurge"), why)
    elif not surge and not away:
        yield required(f"{at}.maxUnavailable", "cannot be 0 when maxSurge is 0")


def _kept(
    spec: Mapping[str, Any], kind: str, *, claims: frozenset[str] = frozenset()
) -> Iterator[FieldError]:
    """A number of pods of one template, found by a selector."""
    yield from at_least(spec, "spec", _COUNTS)
    yield from workload_selector(spec, "spec", kind)
    if spec.get("selector") is None or readable(spec["selector"]) is not None:
        yield from lasting_template(spec, "spec", claims=claims)


def judge_revision(manifest: Manifest) -> list[FieldError]:
    faults = [*at_least(manifest, "", ("revision",))]
    if manifest.get("data") is None:
        faults.append(required("data", "data is mandatory"))
    return faults
