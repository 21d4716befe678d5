"""Rules for Cluster beyond its schema. Pure."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from shared.api.cluster import Cluster, ClusterNetwork, MaintenanceWindow, Price, Taint
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.quantity import parse_quantity
from shared.apimachinery.selectors import check_label_key, check_label_value
from shared.apiserver.names import check_label
from shared.apiserver.rules.selection import required, wrong
from shared.clock import parse_time
from shared.errors import FieldError

NAME_LENGTH_MAX = 48
"""A cluster's name is part of the names of works, consumers and members' objects."""

_MILLISECONDS_MAX = 60_000
_PERIODS = {"Daily": timedelta(days=1), "Weekly": timedelta(weeks=1)}


def check_cluster(cluster: Cluster) -> list[FieldError]:
    faults: list[FieldError] = []
    name, spec = cluster.metadata.name, cluster.spec
    if why := check_label(name):
        faults.append(wrong("metadata.name", name, why))
    elif len(name) > NAME_LENGTH_MAX:
        why = f"must be no more than {NAME_LENGTH_MAX} characters"
        faults.append(wrong("metadata.name", name, why))
    if spec.api_endpoint:
        faults += _check_endpoint(spec.api_endpoint)
    for field, value in (("provider", spec.provider), ("region", spec.region), ("zone", spec.zone)):
        try:
            check_label_value(value)
        except ValueError as err:
            faults.append(FieldError(f"spec.{field}", f"Invalid value: {err}"))
    faults += _check_taints(spec.taints)
    if spec.network is not None:
        faults += _check_network(spec.network)
    if spec.price is not None:
        faults += _check_price(spec.price)
    if spec.carbon_intensity is not None and spec.carbon_intensity < 0:
        faults.append(wrong("spec.carbonIntensity", spec.carbon_intensity, "must be 0 or more"))
    faults += _check_latencies(cluster)
    for index, window in enumerate(spec.maintenance_windows):
        faults += _check_window(window, f"spec.maintenanceWindows[{index}]")
    return faults


def with_times(taints: Sequence[Manifest], before: Sequence[Manifest], now: str) -> list[Manifest]:
    """Return *taints* with a `timeAdded` on each that has things leave (NoExecute).

    One that was there *before* keeps its time.
    """
    known = {_identity(one): one.get("timeAdded") for one in before}
    return [
        {**one, "timeAdded": known.get(_identity(one)) or now}
        if one.get("effect") == "NoExecute" and not one.get("timeAdded")
        else one
        for one in taints
    ]


def _identity(taint: Manifest) -> tuple[Any, ...]:
    return taint.get("key"), taint.get("value") or "", taint.get("effect")


def _check_network(network: ClusterNetwork) -> Iterable[FieldError]:
    for field, ranges in (
        ("podRanges", network.pod_ranges),
        ("serviceRanges", network.service_ranges),
    ):
        for index, text in enumerate(ranges):
            try:
                ip_network(text)
            except ValueError:
                why = "must be a range of addresses such as 10.1.0.0/16"
                yield wrong(f"spec.network.{field}[{index}]", text, why)
    try:
        check_label_value(network.name)
    except ValueError as err:
        yield FieldError("spec.network.name", f"Invalid value: {err}")


def _check_price(price: Price) -> Iterable[FieldError]:
    for name, text in (("cpu", price.cpu), ("memory", price.memory), ("gpu", price.gpu)):
        try:
            negative = parse_quantity(text) < 0
        except ValueError as err:
            yield FieldError(f"spec.price.{name}", f"Invalid value: {err}")
            continue
        if negative:
            yield wrong(f"spec.price.{name}", text, "must be 0 or more")


def _check_latencies(cluster: Cluster) -> Iterable[FieldError]:
    seen: set[tuple[str, str]] = set()
    for index, one in enumerate(cluster.spec.latencies):
        path = f"spec.latencies[{index}]"
        if bool(one.cluster) == bool(one.region):
            yield required(f"{path}.cluster", "one of cluster and region")
        elif (one.cluster, one.region) in seen:
            name = one.cluster or one.region
            yield FieldError(path, f'Duplicate value: "{name}"', "FieldValueDuplicate")
        if not 0 <= one.milliseconds <= _MILLISECONDS_MAX:
            why = f"must be between 0 and {_MILLISECONDS_MAX}"
            yield wrong(f"{path}.milliseconds", one.milliseconds, why)
        seen.add((one.cluster, one.region))


def _check_window(window: MaintenanceWindow, path: str) -> Iterable[FieldError]:
    times = []
    for field, text in (("start", window.start), ("end", window.end)):
        try:
            times.append(parse_time(text))
        except ValueError:
            yield wrong(f"{path}.{field}", text, "must be a time such as 2026-11-25T22:00:00Z")
    if len(times) < len(("start", "end")):
        return
    length = times[1] - times[0]
    if length <= timedelta(0):
        yield wrong(f"{path}.end", window.end, "must be after the start")
    elif window.repeat and length > _PERIODS[window.repeat]:
        yield wrong(f"{path}.end", window.end, "must be over before it is repeated")


def _check_endpoint(endpoint: str) -> Iterable[FieldError]:
    why = "must be a URL such as https://203.0.113.7:6443"
    try:
        parts = urlsplit(endpoint)
        usable = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        yield wrong("spec.apiEndpoint", endpoint, why)
    elif parts.username or parts.password:
        yield wrong("spec.apiEndpoint", parts.hostname or "", "must hold no credentials")


def _check_taints(taints: tuple[Taint, ...]) -> Iterable[FieldError]:
    seen: set[tuple[str, str]] = set()
    for index, taint in enumerate(taints):
        path = f"spec.taints[{index}]"
        if not taint.key:
            yield required(f"{path}.key", "a taint has a key")
            continue
        try:
            check_label_key(taint.key)
            check_label_value(taint.value)
        except ValueError as err:
            yield FieldError(path, f"Invalid value: {err}")
        if (taint.key, taint.effect) in seen:
            yield FieldError(path, f"Duplicate value: {taint.key}", "FieldValueDuplicate")
        seen.add((taint.key, taint.effect))
