"""`ResourceInterpreter`: what Hanse is to know of a kind, declared by paths and CEL.

The operations are those of Karmada's ResourceInterpreterCustomization; where Karmada takes a Lua
script, a path says it, or an expression in CEL. An operation that is left out is answered by the
ready-made interpreter of the kind, or as for any kind of which nothing is known.

A path is written `spec.template.spec`; `spec.tasks[*].name` is every element of a list,
`spec.groups.*.replicas` every value of a map, `metadata.labels["example.com/a"]` a name with dots.
Expressions see `object`; those of `statusAggregation` see `statuses` and `reports` too.
"""

from shared.api.meta import Condition, Kind, Struct
from shared.api.selection import LabelSelector

SPEAKING = "Speaking"
"""Condition of an interpreter that is heard, for some of what it says at least."""


class InterpreterTarget(Struct, frozen=True, kw_only=True):
    """The kind it speaks for, in every version of its group; or only the objects selected."""

    api_version: str
    kind: str
    label_selector: LabelSelector | None = None


class ReplicaResource(Struct, frozen=True, kw_only=True):
    """`replicasPath`: where the number is read, and where a member's share is written.

    `defaultReplicas` stands for a number that is not given. What one replica needs is that of the
    pod template at `podTemplatePath`, or what the expression `requests` says: a map from resource
    to quantity.
    """

    replicas_path: str
    default_replicas: int = 1
    pod_template_path: str = ""
    requests: str = ""


class HealthInterpretation(Struct, frozen=True, kw_only=True):
    """Expressions that say true or false, asked in the order below: the first true one decides.

    Where `healthy` is given and false the object is Progressing; where it is left out the
    conditions decide that most controllers report. A status that has not observed the newest
    generation is Progressing, whatever it says.
    """

    degraded: str = ""
    progressing: str = ""
    healthy: str = ""


class StatusReflection(Struct, frozen=True, kw_only=True):
    """Paths within `status` of what members report."""

    fields: tuple[str, ...]


class AggregatedField(Struct, frozen=True, kw_only=True):
    """`path` within the status; null leaves it out.

    The expression sees `object` (the template), `statuses` (of all members that reported any),
    `reports` (each with `cluster`, `status`, `health`, `applied`, `leaving` and `silent`), and
    `observedGeneration`, the newest of the template that every member has observed.
    """

    path: str
    expression: str


class StatusAggregation(Struct, frozen=True, kw_only=True):
    """How the statuses of the members make the template's.

    `sums` are paths within the status of numbers to be added up. A condition of `allOf` is True
    where it is in every member, one of `anyOf` where it is in any. `observedGeneration` is the
    template's once every member has observed what was applied for it.
    """

    observed_generation: bool = True
    sums: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    fields: tuple[AggregatedField, ...] = ()


class DependencyRule(Struct, frozen=True, kw_only=True):
    """Objects of one kind: their names at `path`, or what `expression` says: a list of names.

    `namespacePath` is where their namespace is; without one it is the object's own.
    """

    api_version: str
    kind: str
    path: str = ""
    expression: str = ""
    namespace_path: str = ""


class DependencyInterpretation(Struct, frozen=True, kw_only=True):
    """What an object refers to: by pod templates within it, and by fields of its own."""

    pod_template_paths: tuple[str, ...] = ()
    references: tuple[DependencyRule, ...] = ()


class Retention(Struct, frozen=True, kw_only=True):
    """Paths that are the member's own: they are not sent, and nobody's change of them is drift."""

    paths: tuple[str, ...]


class Customizations(Struct, frozen=True, kw_only=True):
    """What it says of its kind; what it leaves out is answered as if it were not there."""

    retention: Retention | None = None
    replica_resource: ReplicaResource | None = None
    status_reflection: StatusReflection | None = None
    status_aggregation: StatusAggregation | None = None
    health_interpretation: HealthInterpretation | None = None
    dependency_interpretation: DependencyInterpretation | None = None


class ResourceInterpreterSpec(Struct, frozen=True, kw_only=True):
    target: InterpreterTarget
    customizations: Customizations


class ResourceInterpreterStatus(Struct, frozen=True, kw_only=True):
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


class ResourceInterpreter(Kind, frozen=True, kw_only=True):
    kind: str = "ResourceInterpreter"
    spec: ResourceInterpreterSpec
    status: ResourceInterpreterStatus = ResourceInterpreterStatus()
