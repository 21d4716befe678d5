"""What differs from cluster to cluster: which rules apply, and applying them.

Order decides who wins: ClusterOverridePolicies by name, then the namespace's OverridePolicies by
name, so the one nearer to the object has the last word. Rules and overriders run as written. What
cannot be applied is an answer that names the policy, not an error: the other clusters go on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonpatch
from jsonpointer import JsonPointerException, resolve_pointer, set_pointer

from services.propagator.core.images import change_image
from shared.api.cluster import Cluster
from shared.api.matching import covers, match_resource
from shared.api.override import (
    CommandOverrider,
    ImageOverrider,
    MapOverrider,
    OverridePolicy,
    Overriders,
    PlaintextOverrider,
)
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    ObjectKey,
    copy,
    name_of,
    namespace_of,
)


@dataclass(frozen=True, slots=True)
class Override:
    """The overriders of one rule of the policy at `policy`."""

    policy: ObjectKey
    rule: int
    overriders: Overriders


@dataclass(frozen=True, slots=True)
class OverrideFailure:
    """Why an override cannot be applied to an object."""

    policy: ObjectKey
    message: str


class _NotApplicable(Exception):
    """Inside this module: what does not fit, in words for the policy's author."""


def order_policies(
    policies: Iterable[tuple[ObjectKey, OverridePolicy]],
) -> list[tuple[ObjectKey, OverridePolicy]]:
    return sorted(policies, key=lambda pair: (bool(pair[0].namespace), pair[0].name))


def selects(policy_key: ObjectKey, policy: OverridePolicy, template: Manifest) -> bool:
    """Whether the policy speaks of *template*; raises `InvalidObject` for a bad selector."""
    if policy_key.namespace and policy_key.namespace != namespace_of(template):
        return False
    chosen = policy.spec.resource_selectors
    return not chosen or any(match_resource(one, template) is not None for one in chosen)


def overrides_for(
    policies: Sequence[tuple[ObjectKey, OverridePolicy]], cluster: Cluster
) -> tuple[Override, ...]:
    """The rules for *cluster* of *policies*, which select the object and are in order."""
    return tuple(
        Override(key, number, rule.overriders)
        for key, policy in policies
        for number, rule in enumerate(policy.spec.override_rules)
        if covers(rule.target_cluster, cluster)
    )


def apply_overrides(
    manifest: Manifest, overrides: Sequence[Override]
) -> Manifest | OverrideFailure:
    """A changed copy of *manifest*, or the first thing that does not fit."""
    if not overrides:
        return manifest
    changed = copy(manifest)
    for override in overrides:
        try:
            changed = _apply(changed, override.overriders)
            _check_identity(manifest, changed)
        except _NotApplicable as err:
            where = f"overrideRules[{override.rule}]"
            return OverrideFailure(override.policy, f"{where}: {err}")
    return changed


def _apply(manifest: Manifest, overriders: Overriders) -> Manifest:
    for image in overriders.image_overrider:
        _override_images(manifest, image)
    for command in overriders.command_overrider:
        _override_words(manifest, command, "command")
    for args in overriders.args_overrider:
        _override_words(manifest, args, "args")
    for labels in overriders.labels_overrider:
        _override_map(manifest, labels, "labels")
    for annotations in overriders.annotations_overrider:
        _override_map(manifest, annotations, "annotations")
    for plaintext in overriders.plaintext:
        manifest = _override_plaintext(manifest, plaintext)
    return manifest


_POD_SPECS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("", "Pod"): ("spec",),
    ("", "ReplicationController"): ("spec", "template", "spec"),
    ("", "PodTemplate"): ("template", "spec"),
    ("apps", "Deployment"): ("spec", "template", "spec"),
    ("apps", "StatefulSet"): ("spec", "template", "spec"),
    ("apps", "DaemonSet"): ("spec", "template", "spec"),
    ("apps", "ReplicaSet"): ("spec", "template", "spec"),
    ("batch", "Job"): ("spec", "template", "spec"),
    ("batch", "CronJob"): ("spec", "jobTemplate", "spec", "template", "spec"),
}


def _containers(manifest: Manifest) -> list[dict[str, Any]] | None:
    """Init containers, then the others; None for a kind that runs no pods."""
    gvk = GroupVersionKind.of(manifest)
    path = _POD_SPECS.get((gvk.group, gvk.kind))
    if path is None:
        return None
    place: Any = manifest
    for name in path:
        place = place.get(name) if isinstance(place, dict) else None
    if not isinstance(place, dict):
        return []
    found: list[dict[str, Any]] = []
    for name in ("initContainers", "containers"):
        listed = place.get(name)
        if isinstance(listed, list):
            found += [one for one in listed if isinstance(one, dict)]
    return found


def _override_images(manifest: Manifest, overrider: ImageOverrider) -> None:
    if overrider.predicate is not None:
        path = overrider.predicate.path
        try:
            image = resolve_pointer(manifest, path)
        except JsonPointerException as err:
            raise _NotApplicable(f"imageOverrider: nothing is at {path!r}") from err
        set_pointer(manifest, path, _changed_image(image, overrider))
        return
    for container in _containers(manifest) or ():
        if "image" in container:
            container["image"] = _changed_image(container["image"], overrider)


def _changed_image(image: Any, overrider: ImageOverrider) -> str:
    if not isinstance(image, str):
        raise _NotApplicable("imageOverrider: what it points at is not text")
    try:
        return change_image(image, overrider.component, overrider.operator, overrider.value)
    except ValueError as err:
        raise _NotApplicable(f"imageOverrider: {err}") from err


def _override_words(manifest: Manifest, overrider: CommandOverrider, field: str) -> None:
    containers = _containers(manifest)
    if containers is None:
        return
    chosen = [one for one in containers if one.get("name") == overrider.container_name]
    if not chosen:
        raise _NotApplicable(f"{field}Overrider: no container {overrider.container_name!r}")
    for container in chosen:
        words = list(container.get(field) or ())
        if overrider.operator == "add":
            words += overrider.value
        else:
            words = [word for word in words if word not in overrider.value]
        container[field] = words


def _override_map(manifest: Manifest, overrider: MapOverrider, field: str) -> None:
    metadata = manifest["metadata"]
    entries = dict(metadata.get(field) or {})
    for name, value in overrider.value.items():
        if overrider.operator == "remove":
            entries.pop(name, None)
        elif overrider.operator == "add" or name in entries:
            entries[name] = value
    metadata[field] = entries


def _override_plaintext(manifest: Manifest, overrider: PlaintextOverrider) -> Manifest:
    operation = {"op": overrider.operator, "path": overrider.path, "value": overrider.value}
    try:
        changed = jsonpatch.apply_patch(manifest, [operation])
    except (
        jsonpatch.JsonPatchException,
        JsonPointerException,
        TypeError,
        ValueError,
        KeyError,
        IndexError,
    ) as err:
        # The library lets a few plain errors pass where a path runs through a scalar.
        raise _NotApplicable(
            f"plaintext: {overrider.operator} of {overrider.path!r} does not fit the object"
        ) from err
    if not isinstance(changed, dict):
        raise _NotApplicable("plaintext: the whole object cannot be replaced")
    return changed


def _check_identity(before: Manifest, after: Manifest) -> None:
    metadata = after.get("metadata")
    if not isinstance(metadata, dict) or any(
        not isinstance(metadata.get(field) or {}, dict) for field in ("labels", "annotations")
    ):
        raise _NotApplicable("metadata, labels and annotations must stay objects")
    identities = [
        (GroupVersionKind.of(one), name_of(one), namespace_of(one)) for one in (before, after)
    ]
    if identities[0] != identities[1]:
        raise _NotApplicable("apiVersion, kind, name and namespace cannot be overridden")
