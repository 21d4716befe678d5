"""Rules for TrafficPolicy beyond its schema: what contradicts itself, or could never hold. Pure."""

import math
from collections.abc import Iterable, Sequence
from ipaddress import ip_address

from shared.api.override import WEIGHT_MAX
from shared.api.traffic_policy import (
    ClusterGateway,
    FailoverOrder,
    Locality,
    Shift,
    TrafficPolicy,
    TrafficRoute,
    TrafficWeight,
)
from shared.apiserver.names import (
    check_domain_name,
    check_domain_pattern,
    check_label,
    check_subdomain,
)
from shared.apiserver.rules.durations import check_duration
from shared.apiserver.rules.selection import check_affinity, required, wrong
from shared.errors import FieldError

STEPS_MAX = 64
RATE_MAX = 1_000_000_000
_PORTS = range(1, 65_536)


def check_traffic_policy(policy: TrafficPolicy) -> list[FieldError]:
    spec = policy.spec
    faults: list[FieldError] = []
    if not spec.service:
        faults.append(required("spec.service", "whose traffic it is"))
    elif why := check_label(spec.service):
        faults.append(wrong("spec.service", spec.service, why))
    if spec.workload is not None and (why := check_subdomain(spec.workload.name)):
        faults.append(wrong("spec.workload.name", spec.workload.name, why))
    faults += _check_hosts(spec.hosts, "spec.hosts")
    if spec.port is not None and spec.port not in _PORTS:
        faults.append(wrong("spec.port", spec.port, "must be between 1 and 65535, inclusive"))
    faults += _check_weights(spec.weights, "spec.weights")
    faults += _check_locality(spec.locality, "spec.locality")
    faults += _check_failover(spec.failover, "spec.failover")
    faults += _check_shift(spec.shift, "spec.shift")
    faults += check_duration(spec.session_timeout, "spec.sessionTimeout", least=1.0)
    faults += _check_gateways(spec.gateways, "spec.gateways")
    faults += _check_routes(spec.routes, "spec.routes")
    return faults


def _check_hosts(hosts: Sequence[str], path: str) -> Iterable[FieldError]:
    seen: set[str] = set()
    for index, host in enumerate(hosts):
        where = f"{path}[{index}]"
        if why := check_domain_pattern(host):
            yield wrong(where, host, why)
        elif host in seen:
            yield _repeated(where, host)
        seen.add(host)


def _check_weights(weights: Sequence[TrafficWeight], path: str) -> Iterable[FieldError]:
    for index, one in enumerate(weights):
        where = f"{path}[{index}]"
        if not 0 <= one.weight <= WEIGHT_MAX:
            yield wrong(f"{where}.weight", one.weight, f"must be between 0 and {WEIGHT_MAX}")
        yield from check_affinity(one.target_cluster, f"{where}.targetCluster")
    if weights and not any(one.weight for one in weights):
        yield wrong(path, "[0, ...]", "at least one weight must be above 0")


def _check_locality(locality: Locality | None, path: str) -> Iterable[FieldError]:
    if locality is None:
        return
    yield from _check_percent(locality.min_ready_percent, f"{path}.minReadyPercent", least=1)
    rate = locality.max_rate_per_endpoint
    if rate is not None and not 1 <= rate <= RATE_MAX:
        yield wrong(f"{path}.maxRatePerEndpoint", rate, f"must be between 1 and {RATE_MAX}")


def _check_failover(failover: FailoverOrder | None, path: str) -> Iterable[FieldError]:
    if failover is None:
        return
    if not failover.order:
        yield required(f"{path}.order", "which clusters take the traffic first")
    for index, one in enumerate(failover.order):
        yield from check_affinity(one, f"{path}.order[{index}]")
    yield from _check_percent(failover.min_ready_percent, f"{path}.minReadyPercent", least=1)
    yield from check_duration(failover.return_after, f"{path}.returnAfter", least=0.0)


def _check_shift(shift: Shift | None, path: str) -> Iterable[FieldError]:
    if shift is None:
        return
    yield from check_affinity(shift.to, f"{path}.to")
    if not shift.steps:
        yield required(f"{path}.steps", "how much of the traffic, to begin with")
    if len(shift.steps) > STEPS_MAX:
        yield wrong(f"{path}.steps", len(shift.steps), f"must have no more than {STEPS_MAX} items")
        return
    before = 0
    for index, step in enumerate(shift.steps):
        where = f"{path}.steps[{index}]"
        yield from _check_percent(step.percentage, f"{where}.percentage", least=1)
        if 0 < step.percentage <= before:
            why = f"must be more than in the step before ({before})"
            yield wrong(f"{where}.percentage", step.percentage, why)
        before = max(before, step.percentage)
        yield from check_duration(step.duration, f"{where}.duration", least=0.0)
    gate = shift.gate
    if not math.isfinite(gate.max_error_percent) or not 0 <= gate.max_error_percent <= 100:
        where = f"{path}.gate.maxErrorPercent"
        yield wrong(where, gate.max_error_percent, "must be from 0 to 100")
    if gate.min_requests < 0:
        yield wrong(f"{path}.gate.minRequests", gate.min_requests, "must be 0 or more")
    yield from _check_percent(gate.min_ready_percent, f"{path}.gate.minReadyPercent", least=1)
    if shift.attempt < 0:
        yield wrong(f"{path}.attempt", shift.attempt, "must be 0 or more")


def _check_gateways(gateways: Sequence[ClusterGateway], path: str) -> Iterable[FieldError]:
    seen: set[str] = set()
    for index, one in enumerate(gateways):
        where = f"{path}[{index}]"
        if why := check_label(one.cluster):
            yield wrong(f"{where}.cluster", one.cluster, why)
        elif one.cluster in seen:
            yield _repeated(f"{where}.cluster", one.cluster)
        seen.add(one.cluster)
        if not one.addresses:
            yield required(f"{where}.addresses", "where the cluster is reached")
        for number, address in enumerate(one.addresses):
            if not _is_address(address):
                why = "must be a host and a port, such as 203.0.113.7:443 or [2001:db8::7]:443"
                yield wrong(f"{where}.addresses[{number}]", address, why)


def _check_routes(routes: Sequence[TrafficRoute], path: str) -> Iterable[FieldError]:
    for index, one in enumerate(routes):
        where = f"{path}[{index}]"
        yield from check_affinity(one.target_cluster, f"{where}.targetCluster")
        if one.gateway is None:
            continue
        for field, name, check in (
            ("name", one.gateway.name, check_subdomain),
            ("namespace", one.gateway.namespace, check_label),
            ("sectionName", one.gateway.section_name, check_subdomain),
        ):
            if (name or field == "name") and (why := check(name)):
                yield wrong(f"{where}.gateway.{field}", name, why)


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) in _PORTS):
        return False
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        version = ip_address(bare).version
    except ValueError:
        return bare == host and check_domain_name(host) is None
    return (bare != host) == (version == 6) and "%" not in bare


def _check_percent(value: int, path: str, *, least: int) -> Iterable[FieldError]:
    if not least <= value <= 100:
        yield wrong(path, value, f"must be from {least} to 100")


def _repeated(path: str, value: str) -> FieldError:
    return FieldError(path, f'Duplicate value: "{value}"', "FieldValueDuplicate")
