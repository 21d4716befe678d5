"""Workload affinity: where the others are that a workload is to be with, or to keep away from.

As in Karmada's `workloadAffinity`, groups are of one namespace: workloads whose label has the same
value. What bears no such label is in no group.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.scheduler.core.workload import NOBODY, Company
from shared.api.placement import WorkloadAffinity, WorkloadGroup
from shared.apimachinery.manifest import ObjectKey


@dataclass(frozen=True, slots=True)
class Peer:
    """Another workload of the namespace, and the clusters that it is placed on."""

    key: ObjectKey
    labels: Mapping[str, str]
    clusters: frozenset[str]


def company_of(
    key: ObjectKey,
    labels: Mapping[str, str],
    rules: WorkloadAffinity | None,
    peers: Iterable[Peer],
) -> Company:
    """Gather what *rules* make of the *peers* of the workload at *key*."""
    if rules is None:
        return NOBODY
    placed = [peer for peer in peers if peer.key != key and peer.clusters]
    friends = [peer for peer in placed if _together(rules.affinity, labels, peer.labels)]
    foes = [peer for peer in placed if _together(rules.anti_affinity, labels, peer.labels)]
    return Company(
        friends=_clusters(friends) if friends else None,
        elder_friends=_elder(friends, key) or None,
        foes=_clusters(foes),
        elder_foes=_elder(foes, key),
    )


def concerns_company(
    rules: WorkloadAffinity, labels: Mapping[str, str], others: Mapping[str, str]
) -> bool:
    """Whether a workload with the labels *others* is of the company of one with *labels*."""
    return _together(rules.affinity, labels, others) or _together(
        rules.anti_affinity, labels, others
    )


def _together(
    group: WorkloadGroup | None, labels: Mapping[str, str], others: Mapping[str, str]
) -> bool:
    if group is None or group.group_by_label_key not in labels:
        return False
    return labels[group.group_by_label_key] == others.get(group.group_by_label_key)


def _elder(peers: Iterable[Peer], key: ObjectKey) -> frozenset[str]:
    return _clusters(peer for peer in peers if str(peer.key) < str(key))


def _clusters(peers: Iterable[Peer]) -> frozenset[str]:
    return frozenset[str]().union(*(peer.clusters for peer in peers))
