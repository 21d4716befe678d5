"""The endpoint `render` of the micro service `hanse`: what members would hold, before they do.

It answers from what dispatch itself goes by, and by the same functions; nothing is written.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.propagator.core.overrides import PolicyRules, overrides_for, rules_of
from services.propagator.core.preview import preview
from services.propagator.dispatch.bindings import BindingIndex
from services.propagator.dispatch.orders import ParsedObjects, shares_of
from shared.api.binding import Share
from shared.api.cluster import Cluster
from shared.api.meta import GROUP, Kind, read
from shared.api.override import OverridePolicy
from shared.apimachinery.manifest import (
    DEPTH_MAX,
    GroupResource,
    GroupVersionKind,
    Manifest,
    ObjectKey,
    generation_of,
    is_too_deep,
    name_of,
    namespace_of,
    uid_of,
)
from shared.apiserver.answers.requests import answering, read_request
from shared.apiserver.rules.judging import read_judged
from shared.apiserver.rules.overrides import check_override
from shared.apiserver.status_errors import ApiFault, bad_request, not_found
from shared.bus.port import Bus
from shared.bus.topology import MEBIBYTE, MESSAGE_BYTES_MAX
from shared.events.rendering import ClusterRendering, Rendering, RenderRequest
from shared.events.requests import API_RENDER, SERVICE, VERSION
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.registry import InterpreterSource
from shared.store.port import Mirror

_CLUSTERS = GroupResource(GROUP, "clusters")
_POLICIES = {
    "OverridePolicy": "overridepolicies",
    "ClusterOverridePolicy": "clusteroverridepolicies",
}
_ANSWER_BYTES_MAX = MESSAGE_BYTES_MAX - MEBIBYTE

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _Given:
    """What the request brings along, in place of what is stored."""

    template: Manifest | None = None
    policies: dict[ObjectKey, PolicyRules] = field(default_factory=dict)
    clusters: dict[str, Cluster] = field(default_factory=dict)


class RenderDoor:
    """Shares the mirror and its index with the dispatcher."""

    def __init__(
        self,
        bus: Bus,
        mirror: Mirror,
        bindings: BindingIndex,
        parsed: ParsedObjects,
        interpreters: InterpreterSource,
    ) -> None:
        self._bus = bus
        self._mirror = mirror
        self._bindings = bindings
        self._parsed = parsed
        self._interpreters = interpreters

    async def run(self) -> None:
        """Offer the endpoint until cancelled."""
        async with self._bus.serve(SERVICE, VERSION, {API_RENDER: answering(self._answer)}):
            await asyncio.Event().wait()

    async def _answer(self, body: bytes) -> bytes:
        encoded = _encode(self.render(read_request(body, RenderRequest)))
        if len(encoded) > _ANSWER_BYTES_MAX:
            raise ApiFault(413, "the manifests are too large for one message: name fewer clusters")
        return encoded

    def render(self, asked: RenderRequest) -> Rendering:
        """Raises `ApiFault` and `InvalidObject` for what cannot be rendered."""
        key = asked.key
        if key.group == GROUP:
            raise bad_request("Hanse's own objects are not propagated")
        given = _read_given(asked)
        stored = self._mirror.get(key)
        template = given.template or (stored.manifest if stored is not None else None)
        if template is None:
            raise not_found(key.group_resource, key.name)
        uid = uid_of(stored.manifest) if stored is not None else ""
        interpreter = self._interpreters.of(template)
        _check_template(template, interpreter)
        shares = self._shares(key)
        policies = self._parsed.policies(template, given.policies)
        found = []
        for name in asked.clusters or shares:
            cluster = given.clusters.get(name) or self._parsed.cluster(name)
            if cluster is None and asked.clusters:
                raise not_found(_CLUSTERS, name)
            if cluster is None:
                gone = "there is no such cluster any more"
                found.append(ClusterRendering(cluster=name, decided=True, error=gone))
                continue
            found.append(
                preview(
                    cluster,
                    template,
                    interpreter,
                    shares.get(name, Share()),
                    overrides=overrides_for(policies, cluster, self._parsed.groups),
                    uid=uid,
                    decided=name in shares,
                )
            )
        message = self._message(key, template, decided=bool(shares))
        return Rendering(clusters=tuple(found), message=message)

    def _shares(self, key: ObjectKey) -> Mapping[str, Share]:
        bound = self._bindings.of(key)
        return shares_of(bound[1].spec) if bound is not None else {}

    def _message(self, key: ObjectKey, template: Manifest, *, decided: bool) -> str:
        bound = self._bindings.of(key)
        if bound is None:
            return "no policy selects it, or it has not been scheduled yet"
        if not decided:
            return "it has been placed nowhere"
        if bound[1].spec.resource.generation != generation_of(template):
            return "the decision was made for another state of the template: shares may change"
        return ""


def _read_given(asked: RenderRequest) -> _Given:
    given = _Given()
    for manifest in asked.objects:
        if is_too_deep(manifest):
            raise bad_request(f"a manifest is nested deeper than {DEPTH_MAX}")
        head = read(manifest, Kind)
        gvk = GroupVersionKind.of(manifest)
        name, namespace = head.metadata.name, head.metadata.namespace
        if gvk.group == GROUP and gvk.kind in _POLICIES:
            scope = (
                (namespace or asked.namespace or "default") if gvk.kind == "OverridePolicy" else ""
            )
            key = ObjectKey(GROUP, _POLICIES[gvk.kind], scope, name)
            policy = read_judged(manifest, OverridePolicy, check_override)
            given.policies[key] = rules_of(key, policy)
        elif gvk.group == GROUP and gvk.kind == "Cluster":
            given.clusters[name] = read(manifest, Cluster)
        elif (gvk.group, gvk.kind, name) == (asked.key.group, asked.kind, asked.name):
            given.template = _placed(manifest, asked.namespace)
        else:
            raise bad_request(
                f"{gvk.kind} {name} has no part in rendering {asked.kind} {asked.name}"
            )
    return given


def _placed(template: Manifest, namespace: str) -> Manifest:
    if namespace_of(template) not in ("", namespace):
        raise bad_request(f"{name_of(template)} is of another namespace")
    if not namespace:
        return template
    return {**template, "metadata": {**template["metadata"], "namespace": namespace}}


def _check_template(template: Manifest, interpreter: Interpreter) -> None:
    """Refuse one that was not admitted and holds no room for replicas."""
    place: Any = template
    for name in interpreter.replicas.path[:-1] if interpreter.replicas is not None else ("spec",):
        place = place.get(name, {})
        if not isinstance(place, dict):
            raise bad_request(f"{name} of {name_of(template)} is not an object")
