"""`ResourceRevision` and `ClusterResourceRevision`: what a template and its overrides once said.

After Kubernetes' ControllerRevision: an immutable record under a number that only rises. The
propagator writes it, for templates whose policy has a `rollout`, and removes the oldest that are
in use nowhere. Replicas do not count: they are decided anew whatever the revision.
"""

import hashlib
from typing import Any

from shared.api.binding import ObjectReference
from shared.api.meta import Kind, Struct
from shared.api.override import OverrideRule

REVISIONS = ("resourcerevisions", "clusterresourcerevisions")
"""The resources of the kinds, the namespaced one first."""

BINDING_LABEL = "hanse.dev/binding"
"""Of rollouts and revisions: the binding's name, as far as a label's value can hold it."""


def binding_label(binding: str) -> str:
    return binding[:63].rstrip("-.")


class RevisedOverride(Struct, frozen=True, kw_only=True):
    """The rules of one override policy that selected the template, as they were."""

    kind: str
    namespace: str = ""
    name: str
    rules: tuple[OverrideRule, ...] = ()


class RevisionSpec(Struct, frozen=True, kw_only=True):
    """`template` is the object as its author wrote it, without the hub's own metadata.

    `overrides` are in the order in which they apply. `digest` is over both, but for the replicas.
    `resource.generation` is the template's when this was recorded.
    """

    resource: ObjectReference
    revision: int
    digest: str
    template: dict[str, Any]
    overrides: tuple[RevisedOverride, ...] = ()


class ResourceRevision(Kind, frozen=True, kw_only=True):
    kind: str = "ResourceRevision"
    spec: RevisionSpec


def revision_name(binding: str, number: int) -> str:
    """`web-deployment-3`; where that is too long for a name, a digest stands for its middle.

    A binding's name ends in a kind, never in a number: two bindings share no name of a revision.
    """
    plain = f"{binding}-{number}"
    if len(plain) <= 253:
        return plain
    digest = hashlib.sha256(binding.encode()).hexdigest()[:10]
    return f"{binding[:200].rstrip('-.')}-{digest}-{number}"
