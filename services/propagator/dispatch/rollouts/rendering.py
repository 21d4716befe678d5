"""Orders for one template by revision: today's share of the replicas, the words of another day."""

from collections.abc import Mapping

import msgspec

from services.propagator.core.fencing import marching_orders
from services.propagator.core.overrides import (
    Override,
    OverrideFailure,
    PolicyRules,
    overrides_for,
    variant,
)
from services.propagator.core.rendering import render_for
from services.propagator.core.rollout.revisions import overrides_of
from services.propagator.dispatch.orders import ParsedObjects, make_variant, shares_of
from shared.api.binding import BindingSpec, Share
from shared.api.cluster import Cluster
from shared.api.revision import RevisionSpec
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.events.orders import Encoded
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.replicas import stated_replicas, without_replicas


class RevisionRenderer:
    """Renders each variant once; for one look at one binding."""

    def __init__(
        self,
        key: ObjectKey,
        template: Manifest,
        spec: BindingSpec,
        interpreter: Interpreter,
        parsed: ParsedObjects,
    ) -> None:
        self._key = key
        self._spec = spec
        self._interpreter = interpreter
        self._parsed = parsed
        self._stated = stated_replicas(interpreter.replicas, template)
        self._shares = shares_of(spec)
        self._march = marching_orders(spec)
        self._made: dict[tuple[object, ...], Encoded | OverrideFailure] = {}
        self._policies: dict[int, list[PolicyRules]] = {}

    @property
    def shares(self) -> Mapping[str, Share]:
        return self._shares

    def cluster(self, name: str) -> Cluster | None:
        return self._parsed.cluster(name)

    def order(
        self, cluster: Cluster, revision: RevisionSpec, generation: int
    ) -> Encoded | OverrideFailure:
        """The order for *cluster* to hold *revision*, which the template said at *generation*."""
        name = cluster.metadata.name
        number = revision.revision
        if number not in self._policies:
            self._policies[number] = overrides_of(revision)
        overrides = overrides_for(self._policies[number], cluster, self._parsed.groups)
        share = self._shares.get(name, Share())
        variety = (number, generation, share, *variant(overrides, cluster))
        if variety not in self._made:
            self._made[variety] = self._make(cluster, revision, generation, overrides)
        found = self._made[variety]
        if isinstance(found, OverrideFailure):
            return found
        return self._march(name, found)

    def _make(
        self,
        cluster: Cluster,
        revision: RevisionSpec,
        generation: int,
        overrides: tuple[Override, ...],
    ) -> Encoded | OverrideFailure:
        if self._stated is not None:
            template = self._interpreter.with_replicas(revision.template, self._stated)
        else:
            template = without_replicas(self._interpreter.replicas, revision.template)
        share = self._shares.get(cluster.metadata.name, Share())
        spec = self._as_of(revision, generation)
        manifest = render_for(
            cluster,
            template,
            self._interpreter,
            share,
            overrides=overrides,
            uid=spec.resource.uid,
        )
        return make_variant(self._key, template, manifest, spec, share)

    def _as_of(self, revision: RevisionSpec, generation: int) -> BindingSpec:
        """What is bound, as it was when the template said *revision*.

        One of a deleted template of the same name is that template's still: it is not run again in
        clusters whose turn with the next one has not come, and makes way for it then.
        """
        spec, uid = self._spec, revision.resource.uid
        former = uid not in ("", spec.resource.uid)
        return msgspec.structs.replace(
            spec,
            resource=msgspec.structs.replace(
                spec.resource, generation=generation, uid=uid if former else spec.resource.uid
            ),
            former_template="" if former else spec.former_template,
        )
