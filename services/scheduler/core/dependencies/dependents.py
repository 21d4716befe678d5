"""What goes where others go: objects that a workload needs beside it, counted by their users.

A user is a bound template that refers to the object, or one whose pods the object points at. What
counts are the roots: users that a policy of their own places. A user that only follows passes on
what it follows, so two objects that refer to each other do not keep each other alive, and the
order in which anything was seen does not matter.

A policy with `propagateDeps: true` takes along whatever its objects need; one that says nothing
takes along what no policy selects by itself; one with `false` takes along nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from shared.api.binding import BindingSnapshot, BindingSpec, TargetCluster
from shared.api.policy import ConflictResolution, PropagationPolicy
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    ObjectKey,
    name_of,
    namespace_of,
)
from shared.interpreter.dependencies import Reference

Identity = tuple[str, str, str, str]
"""Group, kind, namespace and name: what a reference names, in whatever version."""

_HOLDING_DATA = frozenset({("", "persistentvolumeclaims")})

BoundAs = Callable[[Identity], "Use | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """How one user is placed: under which binding, and what that passes on to what it needs."""

    namespace: str
    name: str
    """Of its binding."""
    clusters: tuple[str, ...]
    """Where its own policy has put it, shares on their way out too."""
    rooted: bool
    """Whether a policy of its own places it; else it follows."""
    takes_along: bool | None
    conflict_resolution: ConflictResolution
    preserves: bool
    deletes_adopted: bool


def identity_of(manifest: Manifest) -> Identity:
    gvk = GroupVersionKind.of(manifest)
    return gvk.group, gvk.kind, namespace_of(manifest), name_of(manifest)


def in_words(identity: Identity) -> str:
    _, kind, namespace, name = identity
    return f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}"


def referred(reference: Reference) -> Identity:
    group = reference.api_version.rpartition("/")[0]
    return group, reference.kind, reference.namespace, reference.name


def use_of(namespace: str, name: str, spec: BindingSpec) -> Use:
    """Return what the binding *namespace*/*name* of *spec* means for what its template needs."""
    own = (one.name for one in spec.clusters if not one.required)
    leaving = (one.cluster for one in spec.evictions)
    return Use(
        namespace=namespace,
        name=name,
        clusters=tuple(sorted({*own, *leaving})),
        rooted=bool(spec.policy.name),
        takes_along=spec.propagate_deps,
        conflict_resolution=spec.conflict_resolution,
        preserves=spec.preserve_resources_on_deletion,
        deletes_adopted=spec.adopted_resources_on_deletion == "Delete",
    )


NONE: frozenset[Identity] = frozenset()
"""The same one for the many that need nothing."""


class Users:
    """Who refers to whom; an index that is the same in whatever order it was filled."""

    def __init__(self) -> None:
        self._needs: dict[Identity, frozenset[Identity]] = {}
        self._users: dict[Identity, set[Identity]] = {}

    def put(self, user: Identity, needs: Iterable[Identity]) -> frozenset[Identity]:
        """Note what *user* needs now; returns what it has come to need, or needs no more."""
        before, after = self._needs.get(user, NONE), frozenset(needs) - {user}
        if before == after:
            return NONE
        for gone in before - after:
            self._users[gone].discard(user)
            if not self._users[gone]:
                del self._users[gone]
        for come in after - before:
            self._users.setdefault(come, set()).add(user)
        if after:
            self._needs[user] = after
        else:
            self._needs.pop(user, None)
        return before ^ after

    def all(self) -> list[Identity]:
        return sorted(self._needs)

    def needs(self, user: Identity) -> frozenset[Identity]:
        return self._needs.get(user, NONE)

    def of(self, needed: Identity) -> frozenset[Identity]:
        return frozenset(self._users.get(needed, ()))

    def below(self, user: Identity) -> set[Identity]:
        """Return what *user* needs, and what that needs, and so on."""
        found: set[Identity] = set()
        todo = [user]
        while todo:
            new = self.needs(todo.pop()) - found
            found |= new
            todo += new
        return found


def roots_of(
    needed: Identity, users_of: Callable[[Identity], Iterable[Identity]], bound_as: BoundAs
) -> dict[Identity, Use]:
    """Return every root that needs *needed*, by itself or through what follows it.

    A root that says `propagateDeps: false` takes along nothing. What lies behind a user with a
    policy of its own counts where it takes along everything: that user has not followed the rest.
    """
    found: dict[Identity, Use] = {}
    seen = {(needed, False), (needed, True)}
    # What is needed, and whether only those count that take along everything.
    todo = [(needed, False)]
    while todo:
        place, everything = todo.pop()
        for user in users_of(place):
            use = bound_as(user)
            if use is None or (use.rooted and use.takes_along is False):
                continue
            if use.rooted and (use.takes_along or not everything):
                found[user] = use
            step = user, everything or use.rooted
            if step not in seen:
                seen.add(step)
                todo.append(step)
    return found


def counted(roots: Iterable[Use], policy: PropagationPolicy | None) -> tuple[Use, ...]:
    """Return those that *policy*, the object's own, leaves a say; sorted, each with clusters."""
    return tuple(
        sorted(
            (use for use in roots if use.clusters and (policy is None or use.takes_along)),
            key=lambda use: (use.namespace, use.name),
        )
    )


def snapshots(uses: Iterable[Use]) -> tuple[BindingSnapshot, ...]:
    return tuple(
        BindingSnapshot(namespace=use.namespace, name=use.name, clusters=use.clusters)
        for use in uses
    )


# The most careful first.
_CAREFUL: tuple[ConflictResolution, ...] = ("Abort", "IfNoDiff", "Overwrite")


def most_careful(uses: Iterable[Use]) -> ConflictResolution:
    return min((use.conflict_resolution for use in uses), key=_CAREFUL.index, default="Abort")


def required_clusters(required_by: Iterable[BindingSnapshot]) -> set[str]:
    return {name for one in required_by for name in one.clusters}


def stays(key: ObjectKey, before: BindingSpec | None) -> tuple[TargetCluster, ...]:
    """Return where an object with data in it remains though nobody needs it there any more.

    A claim that followed a workload is not removed by the workload's end, nor by its move: it goes
    when it is deleted itself.
    """
    if before is None or (key.group, key.resource) not in _HOLDING_DATA:
        return ()
    return tuple(one for one in before.clusters if one.required)


def with_required(
    clusters: Iterable[TargetCluster],
    required_by: Sequence[BindingSnapshot],
    staying: Sequence[TargetCluster] = (),
) -> tuple[TargetCluster, ...]:
    """Add to an object's own targets those where others need it, and where it stays."""
    own = tuple(clusters)
    if not required_by and not staying:
        return own
    more = required_clusters(required_by) | {one.name for one in staying}
    more -= {one.name for one in own}
    return own + tuple(TargetCluster(name=name, required=True) for name in sorted(more))
