"""Revisions: what of a template and its overrides is recorded, and which records are kept.

A template that goes back to what is complete has that revision back, which needs no stages. What
was said longer ago and is said again is a new revision, as with Deployments: it has to be approved
anew, and the old record goes.
"""

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from services.propagator.core.overrides import PolicyRules, rules_of
from services.propagator.core.render import for_history
from shared.api.binding import ObjectReference
from shared.api.meta import GROUP
from shared.api.override import OverridePolicy, OverrideSpec
from shared.api.revision import ResourceRevision, RevisedOverride, RevisionSpec
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.replicas import without_replicas

HISTORY_BYTES_MAX = 4 * 1024 * 1024
"""Of one template's revisions that are not in use."""

_KINDS = {"overridepolicies": "OverridePolicy", "clusteroverridepolicies": "ClusterOverridePolicy"}
_RESOURCES = {kind: resource for resource, kind in _KINDS.items()}
_encode = msgspec.json.Encoder(order="deterministic").encode


def contents_of(
    template: Manifest,
    interpreter: Interpreter,
    overrides: Sequence[PolicyRules],
    resource: ObjectReference,
) -> RevisionSpec:
    """What is to be recorded, as yet without a number; *overrides* are in the order they apply."""
    kept = for_history(template)
    rules = tuple(
        RevisedOverride(
            kind=_KINDS[one.key.resource],
            namespace=one.key.namespace,
            name=one.key.name,
            rules=tuple(one.policy.spec.rules),
        )
        for one in overrides
    )
    digest = _digest(kept, rules, interpreter)
    return RevisionSpec(
        resource=resource, revision=0, digest=digest, template=kept, overrides=rules
    )


def says_the_same(recorded: RevisionSpec, contents: RevisionSpec, interpreter: Interpreter) -> bool:
    """Whether a record says what *contents* say, by the rules of this day.

    Its own digest may be from a time when other fields were left out.
    """
    digest = _digest(recorded.template, recorded.overrides, interpreter)
    return digest == contents.digest


def _digest(template: Manifest, rules: Sequence[RevisedOverride], interpreter: Interpreter) -> str:
    # Replicas are decided anew every day: to scale is no new revision.
    plain = without_replicas(interpreter.replicas, for_history(template))
    return hashlib.blake2b(_encode([plain, rules]), digest_size=16).hexdigest()


def overrides_of(revision: RevisionSpec) -> list[PolicyRules]:
    """The override policies as they were, ready to be applied."""
    return [
        rules_of(
            ObjectKey(GROUP, _RESOURCES.get(one.kind, ""), one.namespace, one.name),
            OverridePolicy(spec=OverrideSpec(override_rules=one.rules)),
        )
        for one in revision.overrides
    ]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A revision in the store, and how many bytes it takes there."""

    spec: RevisionSpec
    size: int

    @classmethod
    def of(cls, revision: ResourceRevision, size: int) -> "Recorded":
        return cls(revision.spec, size)


def next_number(recorded: Collection[Recorded], known: int) -> int:
    """*known*: the greatest number that was ever heard of, be its record gone."""
    return max([known, *(one.spec.revision for one in recorded)]) + 1


def superfluous(recorded: Collection[Recorded], in_use: Collection[int], limit: int) -> list[int]:
    """Numbers of the revisions to remove: what was said again since, and the oldest beyond *limit*.

    All together those that stay and are not in use take no more than `HISTORY_BYTES_MAX`.
    """
    spare = sorted(
        (one for one in recorded if one.spec.revision not in in_use),
        key=lambda one: -one.spec.revision,
    )
    newest: dict[str, int] = {}
    for one in recorded:
        newest[one.spec.digest] = max(newest.get(one.spec.digest, 0), one.spec.revision)
    total, kept, found = 0, 0, []
    for one in spare:
        said_again = newest[one.spec.digest] > one.spec.revision
        if said_again or kept >= limit or total + one.size > HISTORY_BYTES_MAX:
            found.append(one.spec.revision)
        else:
            kept += 1
            total += one.size
    return found
