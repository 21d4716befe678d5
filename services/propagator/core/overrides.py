"""What differs from cluster to cluster: which rules apply, and applying them.

Order decides who wins: ClusterOverridePolicies, then the namespace's OverridePolicies, so that the
one nearer to the object has the last word; of either those that select more closely come later
(`closeness`), then by name. Rules and overriders run as written. What cannot be applied is an
answer that names the policy, not an error: the other clusters go on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from services.propagator.core.overriders.backends import override_backends
from services.propagator.core.overriders.containers import (
    override_environment,
    override_images,
    override_words,
)
from services.propagator.core.overriders.fields import override_field
from services.propagator.core.overriders.metadata import override_map
from services.propagator.core.overriders.pointers import patch
from services.propagator.core.overriders.refusal import NotApplicable
from services.propagator.core.overriders.texts import override_variables
from shared.api.cluster import Cluster
from shared.api.matching import NO_GROUPS, Groups, Match, covers_in, match_resource
from shared.api.override import OverridePolicy, Overriders
from shared.api.override_texts import expand_texts, may_have_variables, variables_of
from shared.api.selection import GroupAffinity
from shared.api.variables import UnusableVariable, value_of
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    ObjectKey,
    copy,
    name_of,
    namespace_of,
)

# What the manifest of a member may say of itself; the rest is the API server's.
_METADATA = frozenset({"name", "namespace", "labels", "annotations", "finalizers"})


@dataclass(frozen=True, slots=True)
class Override:
    """The overriders of one rule of the policy at `policy`; `place` is the rule's path there."""

    policy: ObjectKey
    place: str
    overriders: Overriders
    target: GroupAffinity | None = None
    has_variables: bool = False
    """Whether there is anything in the values to expand."""
    variables: frozenset[str] = frozenset()
    """What the result depends on, beside the manifest: names of `shared.api.variables`."""
    reads_template: bool = False
    """Whether variables of the manifest are expanded too, so that it may depend on any."""


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """An override policy, looked through once for all objects and clusters."""

    key: ObjectKey
    policy: OverridePolicy
    overrides: tuple[Override, ...]


@dataclass(frozen=True, slots=True)
class OverrideFailure:
    """Why an override cannot be applied to an object."""

    policy: ObjectKey
    message: str


def rules_of(key: ObjectKey, policy: OverridePolicy) -> PolicyRules:
    legacy = not policy.spec.override_rules
    overrides = tuple(
        Override(
            policy=key,
            place="spec" if legacy else f"overrideRules[{number}]",
            overriders=rule.overriders,
            target=rule.target_cluster,
            has_variables=may_have_variables(rule.overriders),
            variables=variables_of(rule.overriders),
            reads_template=bool(rule.overriders.variables_overrider),
        )
        for number, rule in enumerate(policy.spec.rules)
    )
    return PolicyRules(key, policy, overrides)


def closeness(policy: PolicyRules, template: Manifest) -> Match | None:
    """How closely the policy speaks of *template*; None where it does not.

    Without selectors it is as close as one that selects all of the kind. Raises `InvalidObject`
    for a bad selector.
    """
    if policy.key.namespace and policy.key.namespace != namespace_of(template):
        return None
    chosen = policy.policy.spec.resource_selectors
    if not chosen:
        return Match.KIND
    found = (match_resource(one, template) for one in chosen)
    return max((match for match in found if match is not None), default=None)


def order_policies(policies: Iterable[tuple[PolicyRules, Match]]) -> list[PolicyRules]:
    """Order policies with their `closeness`: the last one wins."""

    def rank(pair: tuple[PolicyRules, Match]) -> tuple[bool, Match, str]:
        policy, match = pair
        return bool(policy.key.namespace), match, policy.key.name

    return [policy for policy, _ in sorted(policies, key=rank)]


def overrides_for(
    policies: Sequence[PolicyRules],
    cluster: Cluster,
    groups: Groups = NO_GROUPS,
) -> tuple[Override, ...]:
    """The rules for *cluster* of *policies*, which select the object and are in order."""
    return tuple(
        override
        for policy in policies
        for override in policy.overrides
        if covers_in(override.target, cluster, groups)
    )


def variant(overrides: Sequence[Override], cluster: Cluster) -> tuple[object, ...]:
    """What tells clusters apart for which the same manifest may come out differently."""
    found: list[object] = [(one.policy, one.place) for one in overrides]
    names = frozenset[str]().union(*(one.variables for one in overrides))
    values = [(name, value_of(cluster, name)) for name in sorted(names)]
    if any(one.reads_template for one in overrides) or not all(value for _, value in values):
        # Of a cluster that lacks a value the failure tells the name.
        found.append(cluster.metadata.name)
    return (*found, *values)


def apply_overrides(
    manifest: Manifest, overrides: Sequence[Override], cluster: Cluster
) -> Manifest | OverrideFailure:
    """A changed copy of *manifest*, or the first thing that does not fit."""
    if not overrides:
        return manifest
    changed = copy(manifest)
    for override in overrides:
        try:
            _apply(changed, override, cluster)
            _check_result(manifest, changed)
        except NotApplicable as err:
            return OverrideFailure(override.policy, f"{override.place}: {err}")
    return changed


def _apply(manifest: Manifest, override: Override, cluster: Cluster) -> None:
    overriders = override.overriders
    if override.has_variables:
        try:
            overriders = expand_texts(overriders, cluster)
        except UnusableVariable as err:
            raise NotApplicable(str(err)) from err
    for place, change in _steps(overriders, cluster):
        try:
            change(manifest)
        except NotApplicable as err:
            raise NotApplicable(f"{place}: {err}") from err
    try:
        changed = patch(manifest, overriders.plaintext)
    except NotApplicable as err:
        raise NotApplicable(f"plaintext{err}") from err
    if changed is not manifest:
        raise NotApplicable("plaintext: the whole object cannot be replaced")


def _steps(
    overriders: Overriders, cluster: Cluster
) -> Iterator[tuple[str, Callable[[Manifest], None]]]:
    """Every overrider but plaintext with its place, in the order in which they run."""
    for at, texts in enumerate(overriders.variables_overrider):
        yield (
            f"variablesOverrider[{at}]",
            partial(override_variables, overrider=texts, cluster=cluster),
        )
    for at, image in enumerate(overriders.image_overrider):
        yield f"imageOverrider[{at}]", partial(override_images, overrider=image)
    for at, command in enumerate(overriders.command_overrider):
        yield (
            f"commandOverrider[{at}]",
            partial(override_words, overrider=command, field="command"),
        )
    for at, args in enumerate(overriders.args_overrider):
        yield f"argsOverrider[{at}]", partial(override_words, overrider=args, field="args")
    for at, env in enumerate(overriders.env_overrider):
        yield f"envOverrider[{at}]", partial(override_environment, overrider=env)
    for at, labels in enumerate(overriders.labels_overrider):
        yield f"labelsOverrider[{at}]", partial(override_map, overrider=labels, field="labels")
    for at, notes in enumerate(overriders.annotations_overrider):
        yield (
            f"annotationsOverrider[{at}]",
            partial(override_map, overrider=notes, field="annotations"),
        )
    for at, field in enumerate(overriders.field_overrider):
        yield f"fieldOverrider[{at}]", partial(override_field, overrider=field)
    for at, backends in enumerate(overriders.backend_overrider):
        yield f"backendOverrider[{at}]", partial(override_backends, overrider=backends)


def _check_result(before: Manifest, after: Manifest) -> None:
    identities = [
        (GroupVersionKind.of(one), name_of(one), namespace_of(one)) for one in (before, after)
    ]
    metadata = after.get("metadata")
    if not isinstance(metadata, dict) or identities[0] != identities[1]:
        raise NotApplicable("apiVersion, kind, name and namespace cannot be overridden")
    if foreign := sorted(metadata.keys() - _METADATA) or sorted(after.keys() & {"status"}):
        raise NotApplicable(f"{foreign[0][:100]} cannot be overridden")
    for field in ("labels", "annotations"):
        entries = metadata.get(field)
        if entries is None:
            continue
        if not isinstance(entries, dict) or not all(
            isinstance(one, str) for one in entries.values()
        ):
            raise NotApplicable(f"metadata.{field} must stay a map of texts")
