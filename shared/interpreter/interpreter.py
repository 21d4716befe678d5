"""What Hanse knows of one kind: one value that answers every question about its objects.

The questions are the operations of Karmada's ResourceInterpreterCustomization: where replicas are
and what one of them needs, health, what of a status is reported, how statuses add up, what an
object refers to, and which fields are the member's own. An answer that a kind does not give is
the generic one. Interpreters are layered one operation at a time (`over`), so that a user who
states when an object is healthy need not state where its replicas are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from shared.api.binding import Health
from shared.apimachinery.manifest import Manifest, copy
from shared.errors import FieldError, InvalidObject
from shared.interpreter.conditions import usual_conditions
from shared.interpreter.demand import ANY_NODE, NodeChoice
from shared.interpreter.dependencies import Labels, Reference
from shared.interpreter.health import health_by_conditions
from shared.interpreter.paths import Path, put, without
from shared.interpreter.portions import portions_of
from shared.interpreter.reflect import reflect_any
from shared.interpreter.replicas import ReplicaDemand, ReplicaPlace
from shared.interpreter.reports import Reports, Status

_REPLICAS_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """Every field is one operation; None where the kind has nothing of its own to say.

    The rules raise `InvalidObject` for an object, or with an expression, that cannot be read.
    """

    replicas: ReplicaPlace | None = None
    needs: Callable[[Manifest], Mapping[str, str]] | None = None
    node_choice: Callable[[Manifest], NodeChoice] | None = None
    judge: Callable[[Manifest], Health] | None = None
    reflection: Callable[[Manifest], Status] | None = None
    aggregation: Callable[[Reports], Status] | None = None
    references: Callable[[Manifest], tuple[Reference, ...]] | None = None
    labels: Callable[[Manifest], tuple[Labels, ...]] | None = None
    retained: tuple[Path, ...] | None = None

    def over(self, other: "Interpreter") -> "Interpreter":
        """Return this one, and *other* where this one has nothing to say."""
        found = {
            field.name: mine if (mine := getattr(self, field.name)) is not None else theirs
            for field in fields(Interpreter)
            for theirs in (getattr(other, field.name),)
        }
        return Interpreter(**found)

    def demand(self, manifest: Manifest) -> ReplicaDemand | None:
        """Return the replicas asked for and the need of each; None for a kind without replicas.

        Quantities are in canonical form and sorted by resource. Raises `InvalidObject` with the
        path of a field that cannot be read.
        """
        if self.replicas is None:
            return None
        place: Any = manifest
        for part in self.replicas.path:
            place = place.get(part) if isinstance(place, Mapping) else None
        if place is None:
            place = self.replicas.default
        if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place <= _REPLICAS_MAX:
            path, why = ".".join(self.replicas.path), "must be an integer of at least 0"
            raise InvalidObject(f"{path}: {why}", [FieldError(path, why)])
        portions = portions_of(manifest)
        if portions.completions is not None:
            # No more pods of a Job run at once than are to complete.
            place = min(place, max(0, portions.completions))
        return ReplicaDemand(
            count=place,
            requests=self.needs(manifest) if self.needs is not None else {},
            nodes=self.node_choice(manifest) if self.node_choice is not None else ANY_NODE,
            completions=portions.completions,
            ordinals_start=portions.ordinals_start,
            indivisible=portions.indivisible,
        )

    def with_replicas(self, manifest: Manifest, count: int) -> Manifest:
        """Return a copy that asks for *count* replicas; as it is where the kind has none."""
        if self.replicas is None:
            return manifest
        changed = copy(manifest)
        put(changed, self.replicas.path, count)
        return changed

    def with_default_replicas(self, manifest: Manifest) -> Manifest:
        """Say the number that Kubernetes takes for given: what is not said is not kept."""
        place = self.replicas
        if place is None or not place.says_default:
            return manifest
        found: Any = manifest
        for part in place.path[:-1]:
            found = found.get(part) if isinstance(found, Mapping) else None
        if not isinstance(found, Mapping) or found.get(place.path[-1]) is not None:
            return manifest
        return self.with_replicas(manifest, place.default)

    def health(self, manifest: Manifest) -> Health:
        """Judge *manifest*, an object as a member's API returned it."""
        if (manifest.get("metadata") or {}).get("deletionTimestamp"):
            return "Progressing"
        return (self.judge or health_by_conditions)(manifest)

    def reflect(self, manifest: Manifest) -> Status:
        """Return the part of *manifest*'s status that is worth reporting; {} where there is none.

        The values are shared with *manifest*: not for changing.
        """
        return (self.reflection or reflect_any)(manifest)

    def aggregate(self, reports: Reports) -> Status | None:
        """Add *reports* up to the status of their template; None where they do not add up."""
        return (self.aggregation or usual_conditions)(reports)

    def dependencies(self, manifest: Manifest) -> tuple[Reference, ...]:
        """Return what the object refers to and needs beside it, each once and in order."""
        return self.references(manifest) if self.references is not None else ()

    def pod_labels(self, manifest: Manifest) -> tuple[Labels, ...]:
        """Return the labels of the pods that the object makes, by which Services find them."""
        return self.labels(manifest) if self.labels is not None else ()

    def sent(self, manifest: Manifest) -> Manifest:
        """Return *manifest* less what is the member's own; it may be *manifest* itself."""
        return without(manifest, self.retained) if self.retained else manifest
