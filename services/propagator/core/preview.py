"""What a member would hold and which rule of which policy made it so: for showing, not ordering."""

from collections.abc import Iterator, Sequence
from typing import Any

from jsonpointer import escape

from services.propagator.core.overrides import Override, OverrideFailure, apply_overrides
from services.propagator.core.rendering import render_for, render_share
from shared.api.binding import Share
from shared.api.cluster import Cluster
from shared.apimachinery.manifest import Manifest
from shared.events.rendering import ClusterRendering, FieldChange, RuleEffect
from shared.interpreter.interpreter import Interpreter

_KINDS = {"overridepolicies": "OverridePolicy", "clusteroverridepolicies": "ClusterOverridePolicy"}


def preview(
    cluster: Cluster,
    template: Manifest,
    interpreter: Interpreter,
    share: Share,
    *,
    overrides: Sequence[Override],
    uid: str,
    decided: bool,
) -> ClusterRendering:
    """Render as dispatch does (`render_for`), and tell rule by rule what changed on the way."""
    found = render_for(cluster, template, interpreter, share, overrides=overrides, uid=uid)
    return ClusterRendering(
        cluster=cluster.metadata.name,
        decided=decided,
        replicas=share.replicas,
        manifest=None if isinstance(found, OverrideFailure) else found,
        error=_failure(found) if isinstance(found, OverrideFailure) else "",
        rules=tuple(_effects(render_share(template, interpreter, share), overrides, cluster)),
    )


def _failure(failure: OverrideFailure) -> str:
    policy = failure.policy
    name = f"{policy.namespace}/{policy.name}" if policy.namespace else policy.name
    return f"{_KINDS.get(policy.resource, policy.resource)} {name}: {failure.message}"


def _effects(
    before: Manifest, overrides: Sequence[Override], cluster: Cluster
) -> Iterator[RuleEffect]:
    for override in overrides:
        after = apply_overrides(before, (override,), cluster)
        if isinstance(after, OverrideFailure):
            return
        yield RuleEffect(
            kind=_KINDS.get(override.policy.resource, override.policy.resource),
            namespace=override.policy.namespace,
            policy=override.policy.name,
            rule=override.place,
            changes=tuple(differences(before, after)),
        )
        before = after


def differences(before: Any, after: Any, path: str = "") -> Iterator[FieldChange]:
    """Yield the smallest parts in which two JSON values differ, in the order they are written.

    Lists are compared from both ends: what was added to one or taken out of it is told alone.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for name in (*before, *(name for name in after if name not in before)):
            place = f"{path}/{escape(name)}"
            if name not in after:
                yield FieldChange(path=place, before=before[name])
            elif name not in before:
                yield FieldChange(path=place, after=after[name])
            else:
                yield from differences(before[name], after[name], place)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _list_differences(before, after, path)
    elif type(before) is not type(after) or before != after:
        yield FieldChange(path=path, before=before, after=after)


def _list_differences(before: list[Any], after: list[Any], path: str) -> Iterator[FieldChange]:
    shorter = min(len(before), len(after))
    start = next((at for at in range(shorter) if before[at] != after[at]), shorter)
    end = 0
    while (
        len(before) != len(after) and end < shorter - start and before[-1 - end] == after[-1 - end]
    ):
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    for at in range(max(len(old), len(new))):
        place = f"{path}/{start + at}"
        if at >= len(new):
            yield FieldChange(path=place, before=old[at])
        elif at >= len(old):
            yield FieldChange(path=place, after=new[at])
        else:
            yield from differences(old[at], new[at], place)
