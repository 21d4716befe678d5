"""`OverridePolicy` and `ClusterOverridePolicy`: what differs from cluster to cluster.

The vocabulary is Karmada's OverrideSpec, with an overrider for the environment (`envOverrider`),
one for variables in the template (`variablesOverrider`) and one for the backends of routes
(`backendOverrider`), and all operations of a JSON patch. Values may hold variables of the cluster
(`shared.api.variables`).
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from msgspec import Meta

from shared.api.meta import Condition, Kind, Struct
from shared.api.selection import GroupAffinity, ResourceSelector

EVERY_CONTAINER = "*"
BACKENDS_MAX = 16
"""As many as the Gateway API allows in one rule of a route."""
WEIGHT_MAX = 1_000_000
"""As much as one of them may weigh there."""
OVERRIDES_APPLIED = "OverridesApplied"
"""The condition of a policy: whether it fits every object and cluster it is for."""

PatchOperator = Annotated[
    Literal["add", "remove", "replace", "move", "copy", "test"],
    Meta(description="replace and remove need something to be there; test fails unless value is."),
]

_ContainerName = Annotated[
    str,
    Meta(
        description="The name of a container or init container; * is every one. An object without"
        " such a container is left as it is."
    ),
]
_Value = Annotated[
    Any,
    Meta(
        description="What to put there (add, replace) or to find there (test); not for remove, move"
        " and copy. Texts in it may use variables such as ${cluster.region}."
    ),
]
_From = Annotated[str, Meta(description="Where to take it from, for move and copy.")]


class VariablesOverrider(Struct, frozen=True, kw_only=True):
    """Replaces variables of the cluster in the texts of the object itself.

    Without this overrider what looks like a variable in a manifest is left alone.
    """

    path: Annotated[
        str,
        Meta(
            description="JSON pointer of the part whose texts are looked through, such as /data."
            " The names of fields stay as they are."
        ),
    ]


class ImagePredicate(Struct, frozen=True, kw_only=True):
    """Which image to change; without a predicate every container's image is."""

    path: Annotated[
        str, Meta(description="JSON pointer of the image, in an object of whatever kind.")
    ]


class ImageOverrider(Struct, frozen=True, kw_only=True):
    """Changes one part of image references: [registry/]repository[:tag][@digest]."""

    predicate: ImagePredicate | None = None
    component: Annotated[
        Literal["Registry", "Repository", "Tag"],
        Meta(
            description="Registry is the host with its port, Repository the path after it, Tag the"
            " tag or the digest: a new one displaces both."
        ),
    ]
    operator: Annotated[
        Literal["add", "remove", "replace"],
        Meta(description="add appends the value to what the component is."),
    ]
    value: Annotated[
        str, Meta(description="For add and replace; may use variables. Ignored by remove.")
    ] = ""


class CommandOverrider(Struct, frozen=True, kw_only=True):
    """Appends words to a container's command or arguments, or removes every one that is equal."""

    container_name: _ContainerName
    operator: Annotated[
        Literal["add", "remove"], Meta(description="add appends the words that value has.")
    ]
    value: Annotated[
        tuple[str, ...], Meta(description="The words, one an item; may use variables.")
    ] = ()


class EnvVar(Struct, frozen=True, kw_only=True):
    """As in a container: a value, or where it comes from."""

    name: Annotated[str, Meta(description="What programs know it by.")]
    value: Annotated[str, Meta(description="May use variables such as ${cluster.region}.")] = ""
    value_from: Annotated[
        dict[str, Any] | None,
        Meta(description="fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef."),
    ] = None


class EnvOverrider(Struct, frozen=True, kw_only=True):
    """Changes environment variables of containers."""

    container_name: _ContainerName
    operator: Annotated[
        Literal["add", "remove", "replace"],
        Meta(
            description="add sets variables, new ones at the end; replace sets those that are there"
            " already; remove needs their names only."
        ),
    ]
    value: tuple[EnvVar, ...] = ()


class MapOverrider(Struct, frozen=True, kw_only=True):
    """Changes entries of the object's own labels or annotations."""

    operator: Annotated[
        Literal["add", "remove", "replace"],
        Meta(
            description="add sets entries, replace sets those that are there already, remove needs"
            " the keys only."
        ),
    ]
    value: Annotated[
        dict[str, str], Meta(description="Key to value; values may use variables.")
    ] = {}


class DocumentOperation(Struct, frozen=True, kw_only=True):
    """One operation of a JSON patch (RFC 6902) within a document that a text holds."""

    sub_path: Annotated[
        str,
        Meta(
            description="JSON pointer within the document, such as /server/port; empty is the whole"
            " document. ~1 stands for a slash, ~0 for a tilde, - for the end of a list."
        ),
    ]
    operator: PatchOperator
    value: _Value = None
    from_: _From = ""


class FieldOverrider(Struct, frozen=True, kw_only=True):
    """Changes a document inside a text, as ConfigMaps hold them; one of json and yaml.

    What a Secret holds in data, and a ConfigMap in binaryData, is decoded and encoded again.
    Comments and layout of the document are lost; the order of its fields stays.
    """

    field_path: Annotated[
        str, Meta(description="JSON pointer of the text, such as /data/config.yaml.")
    ]
    json: tuple[DocumentOperation, ...] = ()
    yaml: tuple[DocumentOperation, ...] = ()


class RouteBackend(Struct, frozen=True, kw_only=True):
    """A Service that a route sends to, of the route's namespace, as in a backendRef."""

    name: str
    port: int
    weight: Annotated[int, Meta(description="0 to 1000000; 0 sends nothing there.")] = 1


class BackendOverrider(Struct, frozen=True, kw_only=True):
    """Puts weighted backends in the place of a service in the rules of a Gateway API route.

    It stands for every backendRef to the Service or the ServiceImport of that name and of the
    route's namespace. Filters of the reference stay with each backend; beside other references of
    a rule they have its weight together. An object without such a reference is left as it is.
    """

    service: Annotated[str, Meta(description="The name that routes refer to.")]
    port: Annotated[
        int | None, Meta(description="Only references to this port; left out, to any.")
    ] = None
    backends: Annotated[
        tuple[RouteBackend, ...], Meta(description="1 to 16, as many as a rule may have.")
    ]


class PlaintextOverrider(Struct, frozen=True, kw_only=True):
    """One operation of a JSON patch (RFC 6902)."""

    path: Annotated[
        str,
        Meta(
            description="JSON pointer such as /spec/replicas. ~1 stands for a slash, ~0 for a"
            " tilde, - for the end of a list."
        ),
    ]
    operator: PatchOperator
    value: _Value = None
    from_: _From = ""


class Overriders(Struct, frozen=True, kw_only=True):
    """Changes to an object; they run in this order whatever the order they are written in.

    variablesOverrider, imageOverrider, commandOverrider, argsOverrider, envOverrider,
    labelsOverrider, annotationsOverrider, fieldOverrider, backendOverrider, plaintext.
    """

    variables_overrider: tuple[VariablesOverrider, ...] = ()
    image_overrider: tuple[ImageOverrider, ...] = ()
    command_overrider: tuple[CommandOverrider, ...] = ()
    args_overrider: tuple[CommandOverrider, ...] = ()
    env_overrider: tuple[EnvOverrider, ...] = ()
    labels_overrider: tuple[MapOverrider, ...] = ()
    annotations_overrider: tuple[MapOverrider, ...] = ()
    field_overrider: tuple[FieldOverrider, ...] = ()
    backend_overrider: tuple[BackendOverrider, ...] = ()
    plaintext: tuple[PlaintextOverrider, ...] = ()


class OverrideRule(Struct, frozen=True, kw_only=True):
    """Changes for some clusters. Without targetCluster they are for every cluster."""

    target_cluster: GroupAffinity | None = None
    overriders: Overriders


class OverrideSpec(Struct, frozen=True, kw_only=True):
    """Which objects differ, where, and in what.

    Without resourceSelectors it is for every object (of the policy's namespace). Of several
    policies for an object the ClusterOverridePolicies come first; of either kind those that
    select all of a kind, then those that select by labels, then by name, each by the policy's
    name. The last one wins. What does not fit an object is told by the condition OverridesApplied.
    """

    resource_selectors: Annotated[
        tuple[ResourceSelector, ...],
        Meta(description="The objects; one of the selectors suffices. None is every object."),
    ] = ()
    override_rules: Annotated[
        tuple[OverrideRule, ...], Meta(description="Carried out in the order they are written in.")
    ] = ()
    target_cluster: Annotated[
        GroupAffinity | None,
        Meta(description="The older way to write a single rule; not beside overrideRules."),
    ] = None
    overriders: Annotated[
        Overriders | None,
        Meta(description="The older way to write a single rule; not beside overrideRules."),
    ] = None

    @property
    def rules(self) -> Sequence[OverrideRule]:
        """The rules, however they are written."""
        if self.override_rules or self.overriders is None:
            return self.override_rules
        return (OverrideRule(target_cluster=self.target_cluster, overriders=self.overriders),)


class OverrideStatus(Struct, frozen=True, kw_only=True):
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


class OverridePolicy(Kind, frozen=True, kw_only=True):
    kind: str = "OverridePolicy"
    spec: OverrideSpec
    status: OverrideStatus = OverrideStatus()
