"""Quotas, when templates are written: what a namespace asks for in all clusters together.

Everything in the namespace counts as it is written, whether a policy places it or not, and a
Duplicated one as often as it is placed. Those that are written in the same moment may pass
together: what is decided keeps to the quota in any case.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared.api.cluster_group import ClusterGroup
from shared.api.meta import GROUP, read
from shared.api.quota import FederatedResourceQuota
from shared.apimachinery.manifest import Manifest, ObjectKey, name_of, namespace_of
from shared.apiserver.admission import Write
from shared.apiserver.status_errors import forbidden
from shared.errors import InvalidObject
from shared.interpreter.quota import Nanos, asks_of, exceeding, times, total
from shared.interpreter.registry import InterpreterSource
from shared.store.port import Mirror, Scope

_GROUPS = Scope(GROUP, "clustergroups")
_NOTHING: Nanos = {}
_KNOWN_MAX = 65_536


@dataclass(frozen=True, slots=True)
class _Limit:
    """One quota as it is named in a refusal, and the namespaces that it is for."""

    name: str
    namespaces: frozenset[str]
    hard: Mapping[str, str]


class QuotaAdmission:
    """An admission for every kind that has replicas; reads everything else from *mirror*."""

    def __init__(self, mirror: Mirror, interpreters: InterpreterSource) -> None:
        self._mirror = mirror
        self._interpreters = interpreters
        # By object, what it asks for as of a revision.
        self._known: dict[ObjectKey, tuple[int, Nanos]] = {}

    def admit(self, write: Write) -> Sequence[str]:
        """Refuse what would exceed a quota, in kube-apiserver's words."""
        new = write.judged
        if new is None or write.kind.group_resource.group == GROUP:
            return ()
        namespace = namespace_of(new)
        limits = list(self._limits(namespace)) if namespace else []
        if not limits:
            return ()
        asked = self._asks(new)
        if not asked:
            return ()
        resource = write.kind.group_resource
        key = ObjectKey(resource.group, resource.resource, namespace, name_of(new))
        copies = self._copies(namespace).get(key, 1)
        before = self._asks(write.old) if write.old is not None else _NOTHING
        for limit in limits:
            used = total(self._used(one, key) for one in sorted(limit.namespaces))
            why = exceeding(
                limit.name, limit.hard, used, times(asked, copies), times(before, copies)
            )
            if why:
                raise forbidden(resource, name_of(new), why)
        return ()

    def _limits(self, namespace: str) -> Iterator[_Limit]:
        for stored in self._mirror.items(Scope(GROUP, "federatedresourcequotas", namespace)):
            try:
                quota = read(stored.manifest, FederatedResourceQuota)
            except InvalidObject:
                continue
            yield _Limit(stored.key.name, frozenset({namespace}), quota.spec.limits)
        bound = list(self._groups_of(namespace))
        # Of several groups none can be told here: it depends on the clusters that are chosen.
        if len(bound) == 1 and bound[0].spec.quota is not None:
            group = bound[0]
            assert group.spec.quota is not None
            namespaces = frozenset(group.spec.namespaces)
            name = f"clustergroup/{group.metadata.name}"
            yield _Limit(name, namespaces, group.spec.quota.limits)

    def _groups_of(self, namespace: str) -> Iterator[ClusterGroup]:
        for stored in self._mirror.items(_GROUPS):
            # Every write comes here: most groups need not be read.
            if namespace not in ((stored.manifest.get("spec") or {}).get("namespaces") or ()):
                continue
            try:
                yield read(stored.manifest, ClusterGroup)
            except InvalidObject:
                continue

    def _used(self, namespace: str, without: ObjectKey) -> Nanos:
        """Return what the others of a namespace ask for."""
        copies = self._copies(namespace)
        return total(
            times(asked, copies.get(stored.key, 1))
            for stored in self._mirror.items(Scope(namespace=namespace))
            if stored.key != without
            and stored.key.group != GROUP
            and (asked := self._asks_of_stored(stored.key, stored.revision, stored.manifest))
        )

    def _asks_of_stored(self, key: ObjectKey, revision: int, manifest: Manifest) -> Nanos:
        known = self._known.get(key)
        if known is not None and known[0] == revision:
            return known[1]
        found = self._asks(manifest)
        if found or known is not None:
            if len(self._known) >= _KNOWN_MAX:
                # Objects that are gone are among them.
                self._known.clear()
            self._known[key] = revision, found
        return found

    def _asks(self, manifest: Manifest) -> Nanos:
        """Return what all replicas ask for: nothing where they cannot be read, or are none."""
        try:
            demand = self._interpreters.of(manifest).demand(manifest)
            return times(asks_of(demand), demand.count) if demand is not None else _NOTHING
        except (InvalidObject, ValueError):
            # Whoever judges the object says so.
            return _NOTHING

    def _copies(self, namespace: str) -> Mapping[ObjectKey, int]:
        """Say how often what is whole in each of its clusters is placed."""
        found = {}
        for stored in self._mirror.items(Scope(GROUP, "resourcebindings", namespace)):
            spec = stored.manifest.get("spec") or {}
            whole = sum(1 for one in spec.get("clusters") or () if one.get("replicas") is None)
            if whole > 1:
                resource = spec["resource"]
                group, _, _ = str(resource["apiVersion"]).rpartition("/")
                key = ObjectKey(group, resource["resource"], namespace, resource["name"])
                found[key] = whole
        return found
