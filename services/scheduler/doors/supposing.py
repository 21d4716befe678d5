"""What is supposed in a plan: objects in place of those there are, and clusters that are lost.

The supposed fleet is that of this moment, less what decisions under way take of its room, with some
members changed; policies and templates are those there are, with some replaced.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec

from services.scheduler.cache.members import GROUPS
from services.scheduler.cache.quota_book import QUOTAS
from services.scheduler.core.fleet import Fleet
from services.scheduler.core.groups import scopes_of
from services.scheduler.core.member import Member
from services.scheduler.core.policies import CLUSTER_WIDE, NAMESPACED
from services.scheduler.core.policies import check_policy as check_selectors
from services.scheduler.core.signals.pricing import Amounts
from services.scheduler.core.signals.values import ClusterSignals, Signals
from shared.api.cluster import Cluster
from shared.api.cluster_group import ClusterGroup
from shared.api.maintenance import maintenance_at
from shared.api.matching import groups_of
from shared.api.meta import GROUP, Kind, read
from shared.api.policy import PropagationPolicy
from shared.api.quota import FederatedResourceQuota
from shared.apimachinery.manifest import (
    DEPTH_MAX,
    GroupVersionKind,
    Manifest,
    ObjectKey,
    is_too_deep,
)
from shared.apimachinery.quantity import parse_quantity
from shared.apiserver.rules.clusters import check_cluster
from shared.apiserver.rules.groups import check_group
from shared.apiserver.rules.judging import read_judged
from shared.apiserver.rules.policies import check_policy
from shared.apiserver.rules.quotas import check_quota
from shared.apiserver.status_errors import bad_request
from shared.events.planning import PlanRequest, SupposedPrice, SupposedTemplate

_DEFAULT = "default"
_GROUPS = (GROUP, GROUPS)
_DELETABLE = (NAMESPACED, CLUSTER_WIDE, GROUPS, QUOTAS)


@dataclass(slots=True)
class Supposition:
    policies: dict[ObjectKey, PropagationPolicy] = field(default_factory=dict)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    groups: dict[str, ClusterGroup] = field(default_factory=dict)
    templates: dict[ObjectKey, Manifest] = field(default_factory=dict)
    lost: frozenset[str] = frozenset()
    prices: dict[str, SupposedPrice] = field(default_factory=dict)
    quotas: dict[ObjectKey, FederatedResourceQuota] = field(default_factory=dict)
    absent: frozenset[ObjectKey] = frozenset()

    @property
    def changes_fleet(self) -> bool:
        """Whether any member would be another, or there or not."""
        return bool(self.clusters or self.groups or self.lost or self.absent_groups)

    @property
    def absent_groups(self) -> frozenset[str]:
        return frozenset(one.name for one in self.absent if (one.group, one.resource) == _GROUPS)


def read_supposition(asked: PlanRequest) -> Supposition:
    """Judge what is supposed as the gateway would; raises `ApiFault` and `InvalidObject`."""
    found = Supposition(lost=frozenset(asked.lose), prices=asked.prices)
    found.absent = frozenset(one.key for one in asked.without)
    for key in found.absent:
        if key.group == GROUP and key.resource not in _DELETABLE:
            raise bad_request(f"{key.resource} {key.name} has no part in a plan that deletes it")
    for name, price in found.prices.items():
        _check_price(name, price)
    for template in asked.templates:
        found.templates |= [_read_template(template)]
    for manifest in asked.objects:
        gvk, name = _head(manifest)
        if gvk.group == GROUP and gvk.kind in ("PropagationPolicy", "ClusterPropagationPolicy"):
            _put_policy(found, manifest, asked.namespace)
        elif gvk.group == GROUP and gvk.kind == "Cluster":
            found.clusters[name] = read_judged(manifest, Cluster, check_cluster)
        elif gvk.group == GROUP and gvk.kind == "ClusterGroup":
            found.groups[name] = read_judged(manifest, ClusterGroup, check_group)
        elif gvk.group == GROUP and gvk.kind == "FederatedResourceQuota":
            _put_quota(found, manifest, asked.namespace)
        else:
            raise bad_request(f"{gvk.kind} {name} has no part in a plan")
    return found


def _check_price(name: str, price: SupposedPrice) -> None:
    for resource, text in (("cpu", price.cpu), ("memory", price.memory), ("gpu", price.gpu)):
        try:
            wrong = text is not None and parse_quantity(text) < 0
        except ValueError as err:
            raise bad_request(f"the price of {resource} in {name[:100]}: {err}") from err
        if wrong:
            raise bad_request(f"the price of {resource} in {name[:100]} is below zero")


def _head(manifest: Manifest) -> tuple[GroupVersionKind, str]:
    if is_too_deep(manifest):
        raise bad_request(f"a manifest is nested deeper than {DEPTH_MAX}")
    return GroupVersionKind.of(manifest), read(manifest, Kind).metadata.name


def _read_template(template: SupposedTemplate) -> tuple[ObjectKey, Manifest]:
    gvk, name = _head(template.manifest)
    if gvk.group == GROUP:
        raise bad_request(f"{gvk.kind} {name} is not propagated")
    key = ObjectKey(gvk.group, template.resource, template.namespace, name)
    metadata = dict(template.manifest["metadata"])
    if metadata.setdefault("namespace", template.namespace) != template.namespace:
        raise bad_request(f"{gvk.kind} {name} is of another namespace")
    if not template.namespace:
        del metadata["namespace"]
    return key, {**template.manifest, "metadata": metadata}


def _put_policy(found: Supposition, manifest: Manifest, namespace: str) -> None:
    metadata = manifest["metadata"]
    namespaced = manifest["kind"] == "PropagationPolicy"
    within = metadata.get("namespace") or namespace or _DEFAULT
    stated = {**metadata, "namespace": within if namespaced else ""}
    policy = read_judged({**manifest, "metadata": stated}, PropagationPolicy, check_policy)
    check_selectors(policy)
    resource = NAMESPACED if namespaced else CLUSTER_WIDE
    found.policies[ObjectKey(GROUP, resource, stated["namespace"], metadata["name"])] = policy


def _put_quota(found: Supposition, manifest: Manifest, namespace: str) -> None:
    metadata = manifest["metadata"]
    stated = {**metadata, "namespace": metadata.get("namespace") or namespace or _DEFAULT}
    quota = read_judged({**manifest, "metadata": stated}, FederatedResourceQuota, check_quota)
    found.quotas[ObjectKey(GROUP, QUOTAS, stated["namespace"], metadata["name"])] = quota


def supposed_fleet(
    today: Fleet,
    clusters: Mapping[str, Cluster],
    groups: Mapping[str, ClusterGroup],
    supposed: Supposition,
    now: datetime,
) -> Fleet:
    """*clusters* and *groups* are those there are; *today* has their rooms as they are left."""
    changed = {**groups, **supposed.groups}
    changed = {name: one for name, one in changed.items() if name not in supposed.absent_groups}
    members = []
    for name in sorted({*today.members, *supposed.clusters} - supposed.lost):
        known, stated = clusters.get(name), supposed.clusters.get(name)
        cluster = _merged(known, stated) if stated is not None else known
        if cluster is None:
            members.append(today.members[name])
            continue
        taints = maintenance_at(cluster.spec.maintenance_windows, now).taints
        member = Member.of(cluster, groups_of(cluster, changed.values()), taints)
        if name not in clusters:
            member = replace(member, joined=True, ready=True)
        elif name in today.members:
            member = replace(member, room=today.members[name].room)
        members.append(member)
    return Fleet(members, today.arriving, scopes_of(changed.values()))


def supposed_signals(
    today: Signals, clusters: Mapping[str, Cluster], supposed: Supposition
) -> Signals:
    """Return the signals there would be; *clusters* are those there are."""
    found = {name: one for name, one in today.clusters.items() if name not in supposed.lost}
    for name, stated in supposed.clusters.items():
        found[name] = ClusterSignals.of(_merged(clusters.get(name), stated))
    for name, price in supposed.prices.items():
        known = found.get(name, ClusterSignals())
        old = known.rates or Amounts()
        texts = (price.cpu, price.memory, price.gpu)
        rates = [
            rate if text is None else float(parse_quantity(text))
            for rate, text in zip(old, texts, strict=True)
        ]
        found[name] = replace(known, rates=Amounts(*rates))
    return replace(today, clusters=found)


def _merged(known: Cluster | None, stated: Cluster) -> Cluster:
    """A cluster that is there keeps what it reports; no user says that."""
    if known is None:
        return stated
    return msgspec.structs.replace(stated, status=known.status)


def changed_policies(
    policies: Iterable[PropagationPolicy], supposed: Supposition, namespace: str
) -> Sequence[PropagationPolicy]:
    """Return the policies for *namespace*, with those that are supposed in their places."""
    there = {(one.metadata.namespace, one.metadata.name): one for one in policies}
    for key, policy in supposed.policies.items():
        if key.namespace in ("", namespace):
            there[key.namespace, key.name] = policy
    for key in supposed.absent:
        if key.group == GROUP and key.resource in (NAMESPACED, CLUSTER_WIDE):
            there.pop((key.namespace, key.name), None)
    return list(there.values())
