"""Which keys a change of the store wakes: as few as can be told without reading more."""

from collections.abc import Iterable, Iterator
from typing import Any

from services.propagator.core.farewell import is_leaving
from services.propagator.core.namespaces import is_namespace, namespace_key
from services.propagator.core.overrides import closeness
from services.propagator.dispatch.bindings import RESOURCES, BindingIndex, template_key
from services.propagator.dispatch.orders import (
    CLUSTER_GROUPS,
    POLICY_RESOURCES,
    ParsedObjects,
    shares_of,
)
from services.propagator.dispatch.rollouts.records import template_of
from services.propagator.dispatch.work_log import WorkLog
from shared.api.cluster import READY
from shared.api.meta import GROUP
from shared.api.rollout import ROLLOUTS
from shared.api.selection import GroupAffinity
from shared.apimachinery.manifest import GroupResource, Manifest, ObjectKey, metadata_of, part_of
from shared.errors import InvalidObject
from shared.store.port import Change, ChangeType, Mirror, Scope, Stored

_VOLATILE = ("resourceVersion", "managedFields", "finalizers", "ownerReferences")


class Wakes:
    """Maps changes to template keys."""

    def __init__(
        self, mirror: Mirror, bindings: BindingIndex, log: WorkLog, parsed: ParsedObjects
    ) -> None:
        self._mirror = mirror
        self._bindings = bindings
        self._log = log
        self._parsed = parsed

    def keys(self, change: Change) -> Iterable[ObjectKey]:
        key = change.stored.key
        if key.group != GROUP:
            return self._template_keys(change)
        if key.resource in RESOURCES:
            return self._binding_keys(change)
        if key.resource in POLICY_RESOURCES:
            return self._policy_keys(change) if _differs(change, "spec") else ()
        if key.resource == "clusters":
            return self._cluster_keys(change)
        if key.resource in ROLLOUTS:
            return self._rollout_keys(change)
        if key.resource == CLUSTER_GROUPS.resource:
            return self._group_keys(change) if _differs(change, "spec") else ()
        return ()

    def _template_keys(self, change: Change) -> Iterable[ObjectKey]:
        key = change.stored.key
        if not self._bindings.has(key) and not is_namespace(key):
            return ()
        if change.only_status or self._is_undecided(change):
            return ()
        before = change.previous
        if before is not None and _essence(before.manifest) == _essence(change.stored.manifest):
            return ()
        return (key,)

    def _is_undecided(self, change: Change) -> bool:
        """Whether the scheduler has yet to look at new contents; its decision wakes us."""
        key = change.stored.key
        if change.type is not ChangeType.MODIFIED or is_namespace(key):
            return False
        bound = self._bindings.of(key)
        generation = change.stored.head().generation or 0
        return bound is not None and generation != bound[1].spec.resource.generation

    def _binding_keys(self, change: Change) -> Iterable[ObjectKey]:
        # Health writes the status far more often than the scheduler decides.
        decided = not change.only_status and (_differs(change, "spec") or _begins_to_go(change))
        if not decided and not _is_staged(change.stored):
            return ()
        template = template_key(change.stored)
        return () if template is None else (template,)

    def _rollout_keys(self, change: Change) -> Iterable[ObjectKey]:
        """What somebody said to a rollout; its status is this service's own word."""
        if change.only_status or not _differs(change, "spec"):
            return ()
        template = template_of(change.stored)
        return () if template is None else (template,)

    def _policy_keys(self, change: Change) -> list[ObjectKey]:
        """Templates the policy selects now, or did before the change."""
        versions: list[Stored] = [change.stored]
        if change.previous is not None:
            versions.append(change.previous)
        policies = [policy for one in versions if (policy := self._parsed.policy(one)) is not None]
        found = []
        for key in {*self._bindings.templates(), *self._followers()}:
            stored = self._mirror.get(key)
            if stored is None:
                continue
            try:
                if any(closeness(policy, stored.manifest) is not None for policy in policies):
                    found.append(key)
            except InvalidObject:
                continue
        return found

    def _group_keys(self, change: Change) -> set[ObjectKey]:
        """Templates whose override policies or rollouts name the group."""
        name, found = change.stored.key.name, set()
        for resource in POLICY_RESOURCES:
            for stored in self._mirror.items(Scope.of(GroupResource(GROUP, resource))):
                rules = self._parsed.policy(stored)
                if rules is not None and any(_names(one.target, name) for one in rules.overrides):
                    found.update(self._policy_keys(Change(ChangeType.ADDED, stored)))
        for key in self._bindings.templates():
            bound = self._bindings.of(key)
            rollout = bound[1].spec.rollout if bound is not None else None
            if rollout and any(_names(one.cluster_affinity, name) for one in rollout.stages):
                found.add(key)
        return found

    def _staged_in(self, cluster: str) -> Iterator[ObjectKey]:
        for key in self._bindings.templates():
            bound = self._bindings.of(key)
            spec = bound[1].spec if bound is not None else None
            if spec is not None and spec.rollout and cluster in shares_of(spec):
                yield key

    def _followers(self) -> Iterable[ObjectKey]:
        """Namespaces that members have, by policies or for what lives in them."""
        namespaces = self._mirror.items(Scope.of(GroupResource("", "namespaces")))
        return (stored.key for stored in namespaces if self._log.of(stored.key))

    def _cluster_keys(self, change: Change) -> list[ObjectKey]:
        """Everything held in or meant for a member that came, left or looks different now.

        What is rolled out by stages there, too, where it can be judged again, or no more.
        """
        labels = metadata_of(change.stored.manifest).get("labels")
        before, name = change.previous, change.stored.key.name
        if (
            before is not None
            and not _differs(change, "spec")
            and metadata_of(before.manifest).get("labels") == labels
        ):
            turned = _readiness(before.manifest) != _readiness(change.stored.manifest)
            return sorted(self._staged_in(name)) if turned else []
        found = self._log.held_in(name)
        for key in self._bindings.templates():
            bound = self._bindings.of(key)
            if bound is not None and name in shares_of(bound[1].spec):
                found.add(key)
        # Namespaces last: what lives in them may go.
        return sorted(found, key=lambda key: (is_namespace(key), key))


def _names(affinity: GroupAffinity | None, group: str) -> bool:
    return affinity is not None and group in affinity.cluster_groups


def work_keys(key: ObjectKey) -> list[ObjectKey]:
    """What a change in WORK by somebody else wakes: the object, and its namespace."""
    return [key, namespace_key(key.namespace)] if key.namespace else [key]


def _is_staged(binding: Stored) -> bool:
    """Whether what members report decides where the template goes next."""
    if b'"rollout"' not in binding.encoded:
        # Of thousands none is decoded for this.
        return False
    return (binding.manifest.get("spec") or {}).get("rollout") is not None


def _begins_to_go(change: Change) -> bool:
    before = change.previous
    return is_leaving(change.stored.manifest) and not (before and is_leaving(before.manifest))


def _readiness(cluster: Manifest) -> str:
    """What is said of the condition Ready."""
    for one in part_of(cluster, "status").get("conditions") or ():
        if isinstance(one, dict) and one.get("type") == READY:
            return str(one.get("status"))
    return ""


def _differs(change: Change, section: str) -> bool:
    before = change.previous
    return (
        before is None
        or change.type == "DELETED"
        or before.manifest.get(section) != change.stored.manifest.get(section)
    )


def _essence(manifest: Manifest) -> tuple[dict[str, Any], dict[str, Any]]:
    """Everything but the status and what only the store's bookkeeping changes."""
    metadata = {
        name: value for name, value in metadata_of(manifest).items() if name not in _VOLATILE
    }
    rest = {name: value for name, value in manifest.items() if name not in ("metadata", "status")}
    return metadata, rest
