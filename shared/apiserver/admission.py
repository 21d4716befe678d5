"""The hook by which a composition root adds rules of its own to writes."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apiserver.kinds import ResourceKind


class Operation(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class Admission(Protocol):
    """Judges every write before it happens; never called for status alone."""

    def admit(
        self,
        operation: Operation,
        kind: ResourceKind,
        old: Manifest | None,
        new: Manifest | None,
    ) -> Sequence[str]:
        """Return warnings for the client; raise `InvalidObject` or `ApiFault` to refuse.

        Entries of *new* may be replaced at its top level; what they hold is shared, and *old* is
        not to be touched. It runs again when a write is repeated, so it must be idempotent.
        """
        ...


class AdmitEverything:
    """No rules beside Kubernetes' own."""

    def admit(
        self,
        operation: Operation,  # noqa: ARG002
        kind: ResourceKind,  # noqa: ARG002
        old: Manifest | None,  # noqa: ARG002
        new: Manifest | None,  # noqa: ARG002
    ) -> Sequence[str]:
        return ()


class AdmitByResource:
    """Sends each resource to its own rules; resources without any are admitted."""

    def __init__(self, rules: Mapping[GroupResource, Admission]) -> None:
        self._rules = dict(rules)

    def admit(
        self,
        operation: Operation,
        kind: ResourceKind,
        old: Manifest | None,
        new: Manifest | None,
    ) -> Sequence[str]:
        rule = self._rules.get(kind.group_resource)
        return rule.admit(operation, kind, old, new) if rule is not None else ()
