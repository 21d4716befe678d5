"""What members would hold: the request `hanse.api.render` and its answer.

Nothing is written by asking. The answer comes from dispatch, by the function that makes orders.
"""

from typing import Any

import msgspec
from msgspec import UNSET

from shared.apimachinery.manifest import Manifest, ObjectKey


class RenderRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A template by its resource (`deployments` of `apps/v1`), and for which clusters.

    Without `clusters` it is those of the decision. `objects` are not applied yet and stand in for
    those of the same name: override policies, clusters, and the template itself.
    """

    api_version: str
    kind: str
    resource: str
    namespace: str = ""
    name: str
    clusters: tuple[str, ...] = ()
    objects: tuple[Manifest, ...] = ()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(
            self.api_version.rpartition("/")[0], self.resource, self.namespace, self.name
        )


class FieldChange(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One field by its JSON pointer; `before` or `after` is absent where the field is."""

    path: str
    before: Any = UNSET
    after: Any = UNSET


class RuleEffect(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What one rule of an override policy changed; nothing, where it did not have to."""

    kind: str
    namespace: str = ""
    policy: str
    rule: str
    changes: tuple[FieldChange, ...] = ()


class ClusterRendering(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The manifest for one cluster, or why there is none.

    `replicas` is the cluster's share, if it has one. The annotation `hanse.dev/work-generation` of
    the manifest is empty: it is filled in with the number of the order.
    """

    cluster: str
    decided: bool
    replicas: int | None = None
    manifest: Manifest | None = None
    error: str = ""
    rules: tuple[RuleEffect, ...] = ()


class Rendering(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Renderings in the order asked for. `message` tells what is to be known beside them."""

    api_version: str = "hanse.dev/v1alpha1"
    kind: str = "Rendering"
    clusters: tuple[ClusterRendering, ...] = ()
    message: str = ""
