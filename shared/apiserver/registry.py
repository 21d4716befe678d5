"""The kinds served now: fixed ones from the start, custom ones that come and go.

One process has one registry. Whoever caches something made from it (discovery, OpenAPI) subscribes
and drops the cache when told; the number `generation` rises with every change.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from shared.apimachinery.manifest import GroupResource, GroupVersionKind
from shared.apiserver.kinds import ResourceKind

Listener = Callable[[], None]


class Registry:
    """Implements `KindRegistry`. A fixed kind is never displaced by a custom one.

    `Registry(builtin_kinds(), hanse_kinds())` is the gateway's, `Registry(builtin_kinds())` a
    member's. Groups are served in the order in which they are first given, custom ones by name.
    """

    def __init__(self, *fixed: Iterable[ResourceKind]) -> None:
        self._fixed = tuple(kind for kinds in fixed for kind in kinds)
        self.fixed_resources = frozenset(kind.group_resource for kind in self._fixed)
        self._custom: dict[str, tuple[ResourceKind, ...]] = {}
        self._listeners: dict[int, Listener] = {}
        self._subscriptions = 0
        self.generation = 0
        self._index()

    def by_resource(self, group: str, version: str, resource: str) -> ResourceKind | None:
        return self._by_resource.get((group, version, resource))

    def by_kind(self, gvk: GroupVersionKind) -> ResourceKind | None:
        return self._by_kind.get(gvk)

    def preferred(self, resource: GroupResource) -> ResourceKind | None:
        return self._preferred.get(resource)

    def all(self) -> Sequence[ResourceKind]:
        return self._all

    def groups(self) -> Sequence[str]:
        """Names of the groups in serving order; the core group is ""."""
        return tuple(self._versions)

    def versions(self, group: str) -> Sequence[str]:
        """Versions of a group, the preferred first; empty for a group that is not served."""
        return self._versions.get(group, ())

    def kinds_of(self, group: str, version: str) -> Sequence[ResourceKind]:
        """Kinds of one group/version, by resource."""
        return self._by_version.get((group, version), ())

    def put_custom(self, owner: str, kinds: Iterable[ResourceKind]) -> None:
        """Serve *kinds* on behalf of *owner*, in place of what it had declared before."""
        self._custom[owner] = tuple(kinds)
        self._changed()

    def drop_custom(self, owner: str) -> None:
        """Stop serving what *owner* declared."""
        if self._custom.pop(owner, None) is not None:
            self._changed()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call *listener* after every change; returns the way to stop. It must not block."""
        self._subscriptions += 1
        number = self._subscriptions
        self._listeners[number] = listener

        def stop() -> None:
            self._listeners.pop(number, None)

        return stop

    def _changed(self) -> None:
        self.generation += 1
        self._index()
        for listener in tuple(self._listeners.values()):
            listener()

    def _index(self) -> None:
        custom = [kind for owner in sorted(self._custom) for kind in self._custom[owner]]
        # A short name that several groups have means the first of them, as upstream sorts them.
        custom.sort(key=lambda kind: kind.gvk.group)
        by_resource: dict[tuple[str, str, str], ResourceKind] = {}
        by_kind: dict[GroupVersionKind, ResourceKind] = {}
        versions: dict[str, set[str]] = {}
        by_version: dict[tuple[str, str], list[ResourceKind]] = {}
        for kind in (*self._fixed, *custom):
            group, version, _ = kind.gvk
            place = (group, version, kind.resource)
            # First come, first served: names taken twice are a condition on the newcomer.
            if place in by_resource or kind.gvk in by_kind:
                continue
            by_resource[place] = by_kind[kind.gvk] = kind
            versions.setdefault(group, set()).add(version)
            by_version.setdefault((group, version), []).append(kind)

        self._by_resource = by_resource
        self._by_kind = by_kind
        self._versions = {
            group: tuple(sorted(found, key=version_priority)) for group, found in versions.items()
        }
        self._by_version = {
            place: tuple(sorted(kinds, key=lambda kind: kind.resource))
            for place, kinds in by_version.items()
        }
        self._all = tuple(
            sorted(by_resource.values(), key=lambda k: (k.gvk.group, k.gvk.version, k.resource))
        )
        self._preferred = {
            kind.group_resource: kind
            for group, found in self._versions.items()
            for version in reversed(found)
            for kind in self._by_version[group, version]
        }


_VERSION = re.compile(r"v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?")
_STAGES = {None: 0, "beta": 1, "alpha": 2}


def version_priority(version: str) -> tuple[int, int, int, str]:
    """Sort key: v2, v1, v2beta1, v1alpha1, then everything else by name.

    The order is that of CustomResourceDefinition versions in the Kubernetes documentation.
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        return (3, 0, 0, version)
    major, stage, minor = found.groups()
    return (_STAGES[stage], -int(major), -int(minor or 0), "")
