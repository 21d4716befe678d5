"""Rules for GlobalZone beyond its schema: names that are none, servers nobody finds. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from ipaddress import ip_address, ip_network

from shared.api.global_zone import (
    FixedRecord,
    GlobalZone,
    HostOptions,
    NameServer,
    RegionNetworks,
    ZoneTransfer,
    ZoneUpdate,
)
from shared.apiserver.names import check_domain_name, check_domain_pattern, check_label
from shared.apiserver.rules.selection import required, wrong
from shared.errors import FieldError

CLUSTERSET = "clusterset.local"
APEX = "@"
_TTLS = range(1, 86_401)
_ADDRESSES = range(1, 17)
_RATE_MAX = 1_000_000
_TEXT_MAX = 255
_NAME_MAX = 253
_PORTS = range(1, 65_536)
# What is no host begins with them: `_acme-challenge`.
_UNDERSCORES = re.compile(r"(^|\.)_+")


def check_global_zone(zone: GlobalZone) -> list[FieldError]:
    spec = zone.spec
    faults = [*_check_domain(spec.domain)]
    faults += _check_servers(spec.name_servers, spec.domain)
    faults += _check_contact(spec.contact)
    for field, seconds in (
        ("ttlSeconds", spec.ttl_seconds),
        ("negativeTtlSeconds", spec.negative_ttl_seconds),
    ):
        faults += _within(seconds, _TTLS, f"spec.{field}")
    faults += _within(spec.addresses_max, _ADDRESSES, "spec.addressesMax")
    if not 0 <= spec.responses_per_second <= _RATE_MAX:
        limits = f"must be from 0 to {_RATE_MAX}"
        faults.append(wrong("spec.responsesPerSecond", spec.responses_per_second, limits))
    for index, name in enumerate(spec.namespaces):
        if why := check_label(name):
            faults.append(wrong(f"spec.namespaces[{index}]", name, why))
    faults += _check_networks(spec.clients, "spec.clients")
    faults += _check_regions(spec.regions)
    faults += _check_hosts(spec.hosts, spec.domain)
    faults += _check_records(spec.records, spec.domain)
    faults += _check_transfer(spec.transfer)
    faults += _check_update(spec.update)
    return faults


def _check_domain(domain: str) -> Iterable[FieldError]:
    if not domain:
        yield required("spec.domain", "which names it answers for")
        return
    if f".{domain}".endswith(f".{CLUSTERSET}"):
        yield wrong("spec.domain", domain, f"{CLUSTERSET} is that of the members")
    if why := check_domain_name(domain):
        yield wrong("spec.domain", domain, why)


def _check_servers(servers: Sequence[NameServer], domain: str) -> Iterable[FieldError]:
    if not servers:
        yield required("spec.nameServers", "by whom the domain above finds it")
    for index, one in enumerate(servers):
        path = f"spec.nameServers[{index}]"
        if why := check_domain_name(one.name):
            yield wrong(f"{path}.name", one.name, why)
        elif not one.addresses and f".{one.name}".endswith(f".{domain}"):
            yield required(f"{path}.addresses", "nobody could find a server within its own domain")
        for number, address in enumerate(one.addresses):
            yield from _check_address(address, f"{path}.addresses[{number}]")


def _check_contact(contact: str) -> Iterable[FieldError]:
    if not contact:
        return
    person, at, domain = contact.partition("@")
    fits = len(person) <= 63 and person.isascii() and len(contact) <= _NAME_MAX
    if not at or not person or not fits or check_domain_name(domain):
        yield wrong("spec.contact", contact, "must be an address such as dns@example.com")


def _check_networks(networks: Sequence[str], path: str) -> Iterable[FieldError]:
    for index, text in enumerate(networks):
        try:
            ip_network(text, strict=False)
        except ValueError:
            yield wrong(f"{path}[{index}]", text, "must be a network such as 203.0.113.0/24")


def _check_regions(regions: Sequence[RegionNetworks]) -> Iterable[FieldError]:
    seen: set[str] = set()
    for index, one in enumerate(regions):
        path = f"spec.regions[{index}]"
        if not one.region:
            yield required(f"{path}.region", "where the networks are")
        if not one.networks:
            yield required(f"{path}.networks", "which addresses are there")
        yield from _check_networks(one.networks, f"{path}.networks")
        for number, text in enumerate(one.networks):
            if text in seen:
                yield _repeated(f"{path}.networks[{number}]", text)
            seen.add(text)


def _check_hosts(hosts: Sequence[HostOptions], domain: str) -> Iterable[FieldError]:
    seen: set[str] = set()
    for index, one in enumerate(hosts):
        path = f"spec.hosts[{index}]"
        if why := check_domain_pattern(one.host):
            yield wrong(f"{path}.host", one.host, why)
        elif not f".{one.host}".endswith(f".{domain}"):
            yield wrong(f"{path}.host", one.host, f"must be within {domain}")
        elif one.host in seen:
            yield _repeated(f"{path}.host", one.host)
        seen.add(one.host)
        if one.ttl_seconds is not None:
            yield from _within(one.ttl_seconds, _TTLS, f"{path}.ttlSeconds")
        if one.addresses_max is not None:
            yield from _within(one.addresses_max, _ADDRESSES, f"{path}.addressesMax")


def _check_records(records: Sequence[FixedRecord], domain: str) -> Iterable[FieldError]:
    kinds: dict[str, set[str]] = {}
    for index, one in enumerate(records):
        path = f"spec.records[{index}]"
        if one.name != APEX:
            bare = _UNDERSCORES.sub(lambda found: found[0].replace("_", "x"), one.name)
            if why := check_domain_pattern(f"{bare}.{domain}"):
                yield wrong(f"{path}.name", one.name, why)
        if not one.values:
            yield required(f"{path}.values", "what the name says")
        for number, value in enumerate(one.values):
            yield from _CHECKS[one.type](value, f"{path}.values[{number}]")
        if one.ttl_seconds is not None:
            yield from _within(one.ttl_seconds, _TTLS, f"{path}.ttlSeconds")
        before = kinds.setdefault(one.name, set())
        if one.type in before:
            yield _repeated(path, f"{one.type} of {one.name}")
        alias = "CNAME" in before or one.type == "CNAME"
        if alias and (before or one.name == APEX or len(one.values) > 1):
            yield wrong(f"{path}.type", one.type, "a name with a CNAME says that and nothing else")
        before.add(one.type)


def _check_version(version: int) -> Callable[[str, str], Iterable[FieldError]]:
    def check(text: str, path: str) -> Iterable[FieldError]:
        faults = [*_check_address(text, path)]
        if not faults and ip_address(text).version != version:
            faults.append(wrong(path, text, f"must be an address of IPv{version}"))
        return faults

    return check


def _check_alias(text: str, path: str) -> Iterable[FieldError]:
    if why := check_domain_name(text):
        yield wrong(path, text, why)


def _check_text(text: str, path: str) -> Iterable[FieldError]:
    if len(text.encode()) > _TEXT_MAX:
        yield wrong(path, text, f"must be no more than {_TEXT_MAX} bytes")


_CHECKS: dict[str, Callable[[str, str], Iterable[FieldError]]] = {
    "A": _check_version(4),
    "AAAA": _check_version(6),
    "CNAME": _check_alias,
    "TXT": _check_text,
}


def _check_transfer(transfer: ZoneTransfer | None) -> Iterable[FieldError]:
    if transfer is None:
        return
    if not transfer.allow:
        yield required("spec.transfer.allow", "who may take the zone over")
    yield from _check_networks(transfer.allow, "spec.transfer.allow")
    if transfer.key:
        yield from _check_key(transfer.key, "spec.transfer.key")
    for index, text in enumerate(transfer.notify):
        yield from _check_socket(text, f"spec.transfer.notify[{index}]")


def _check_update(update: ZoneUpdate | None) -> Iterable[FieldError]:
    if update is None:
        return
    yield from _check_socket(update.server, "spec.update.server")
    if not update.key:
        yield required("spec.update.key", "no server takes changes from just anybody")
    else:
        yield from _check_key(update.key, "spec.update.key")


def _check_key(name: str, path: str) -> Iterable[FieldError]:
    if why := check_domain_name(name):
        yield wrong(path, name, why)


def _check_address(text: str, path: str) -> Iterable[FieldError]:
    try:
        ip_address(text)
    except ValueError:
        yield wrong(path, text, "must be an IP address")


def _check_socket(text: str, path: str) -> Iterable[FieldError]:
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        six = ip_address(host[1:-1] if bracketed else host).version == 6
    except ValueError:
        six = not bracketed
    numbered = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) in _PORTS
    if bracketed != six or not numbered:
        why = "must be an address and a port, such as 203.0.113.7:53 or [2001:db8::7]:53"
        yield wrong(path, text, why)


def _within(value: int, allowed: range, path: str) -> Iterable[FieldError]:
    if value not in allowed:
        yield wrong(path, value, f"must be from {allowed.start} to {allowed.stop - 1}")


def _repeated(path: str, value: str) -> FieldError:
    return FieldError(path, f'Duplicate value: "{value}"', "FieldValueDuplicate")
