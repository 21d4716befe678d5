"""Pods and pod templates: what is said of the pod as a whole.

Its parts are judged beside this: `containers`, `volumes`, `security`, `affinity`.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.affinity import affinity, spread, tolerations
from shared.apiserver.semantics.containers import Surroundings, containers
from shared.apiserver.semantics.faults import (
    ID_MAX,
    forbidden,
    invalid,
    labels,
    one_of,
    required,
    strings,
    text,
    unsupported,
    within,
)
from shared.apiserver.semantics.security import pod_security
from shared.apiserver.semantics.volumes import volumes
from shared.errors import FieldError

RESTARTS = ("Always", "OnFailure", "Never")
_DNS = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_NAMES = {
    "serviceAccountName": texts.subdomain,
    "nodeName": texts.subdomain,
    "hostname": texts.label,
    "subdomain": texts.label,
    "priorityClassName": texts.subdomain,
    "runtimeClassName": texts.subdomain,
}
_NAMESERVERS_MAX, _SEARCHES_MAX = 3, 32


def judge_pod(manifest: Manifest) -> list[FieldError]:
    return list(pod_spec(section(manifest, "spec"), "spec"))


def pod_template(
    template: Mapping[str, Any], path: str, *, claims: frozenset[str] = frozenset()
) -> Iterator[FieldError]:
    """*claims*: volumes that come from claim templates."""
    metadata = section(template, "metadata")
    yield from labels(
        section(metadata, "labels"), f"{path}.metadata.labels".replace("metadata.", "")
    )
    for key in section(metadata, "annotations"):
        yield from text(key.lower(), f"{path}.annotations", texts.label_key)
    yield from pod_spec(section(template, "spec"), f"{path}.spec", claims=claims)
    if section(template, "spec").get("ephemeralContainers"):
        why = "ephemeral containers not allowed in pod template"
        yield forbidden(f"{path}.spec.ephemeralContainers", why)


def lasting_template(
    spec: Mapping[str, Any], path: str, *, claims: frozenset[str] = frozenset()
) -> Iterator[FieldError]:
    """The template of a workload whose pods are to run for ever."""
    at = f"{path}.template"
    pods = section(spec, "template", "spec")
    yield from pod_template(section(spec, "template"), at, claims=claims)
    if pods.get("restartPolicy") not in (None, "Always"):
        yield unsupported(f"{at}.spec.restartPolicy", pods["restartPolicy"], ("Always",))
    if pods.get("activeDeadlineSeconds") is not None:
        yield forbidden(f"{at}.spec.activeDeadlineSeconds", "is for pods that end")


def pod_spec(
    spec: Mapping[str, Any], path: str, *, claims: frozenset[str] = frozenset()
) -> Iterator[FieldError]:
    """*claims*: volumes that come from claim templates."""
    known, faults = volumes(entries(spec, "volumes"), f"{path}.volumes", claims)
    yield from faults
    yield from containers(spec, path, Surroundings.of(spec, known))
    yield from one_of(spec, "restartPolicy", path, RESTARTS)
    yield from one_of(spec, "dnsPolicy", path, _DNS)
    yield from one_of(spec, "preemptionPolicy", path, ("PreemptLowerPriority", "Never"))
    yield from labels(section(spec, "nodeSelector"), f"{path}.nodeSelector")
    yield from pod_security(section(spec, "securityContext"), f"{path}.securityContext")
    yield from affinity(section(spec, "affinity"), f"{path}.affinity")
    yield from _dns(spec, f"{path}.dnsConfig")
    yield from spread(
        entries(spec, "topologySpreadConstraints"), f"{path}.topologySpreadConstraints"
    )
    for name, rule in _NAMES.items():
        if spec.get(name):
            yield from text(spec[name], f"{path}.{name}", rule)
    yield from within(spec.get("activeDeadlineSeconds"), f"{path}.activeDeadlineSeconds", 1, ID_MAX)
    yield from tolerations(entries(spec, "tolerations"), f"{path}.tolerations")
    for number, gate in enumerate(entries(spec, "readinessGates")):
        at = f"{path}.readinessGates[{number}].conditionType"
        yield from text(gate.get("conditionType") or "", at, texts.label_key)
    for number, alias in enumerate(entries(spec, "hostAliases")):
        yield from _host_alias(alias, f"{path}.hostAliases[{number}]")


def _host_alias(alias: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    yield from text(alias.get("ip") or "", f"{path}.ip", texts.address)
    for number, name in enumerate(strings(alias.get("hostnames"))):
        yield from text(name, f"{path}.hostnames[{number}]", texts.subdomain)


def _dns(spec: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    config = section(spec, "dnsConfig")
    servers, searches = strings(config.get("nameservers")), strings(config.get("searches"))
    if spec.get("dnsPolicy") == "None" and not servers:
        if spec.get("dnsConfig") is None:
            yield required(path, "must provide `dnsConfig` when `dnsPolicy` is None")
        else:
            why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            yield required(f"{path}.nameservers", why)
        return
    if len(servers) > _NAMESERVERS_MAX:
        why = f"must not have more than {_NAMESERVERS_MAX} nameservers"
        yield invalid(f"{path}.nameservers", servers, why)
    for number, server in enumerate(servers):
        yield from text(server, f"{path}.nameservers[{number}]", texts.address)
    if len(searches) > _SEARCHES_MAX:
        why = f"must not have more than {_SEARCHES_MAX} search paths"
        yield invalid(f"{path}.searches", searches, why)
    for number, search in enumerate(searches):
        if search != ".":
            at = f"{path}.searches[{number}]"
            yield from text(search.removesuffix("."), at, texts.search_domain)
    for number, option in enumerate(entries(config, "options")):
        if not option.get("name"):
            yield required(f"{path}.options[{number}]", "must not be empty")
