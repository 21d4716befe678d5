"""The hook by which a composition root adds rules of its own to writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.apimachinery.manifest import GroupResource, Manifest
from shared.apiserver.kinds import ResourceKind


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """One write before it happens: without *old* a creation, without *new* a deletion.

    Entries of *new* may be replaced at its top level; what they hold is shared, and *old* is not
    to be touched.
    """

    kind: ResourceKind
    old: Manifest | None
    new: Manifest | None

    @property
    def judged(self) -> Manifest | None:
        """The new object where its spec is news; None where there is nothing to judge."""
        if self.new is None:
            return None
        same = self.old is not None and self.old.get("spec") == self.new.get("spec")
        return None if same else self.new


class Admission(Protocol):
    """Judges every write before it happens; never called for status alone."""

    def admit(self, write: Write) -> Sequence[str]:
        """Return warnings for the client; raise `InvalidObject` or `ApiFault` to refuse.

        It runs again when a write is repeated, so it must be idempotent.
        """
        ...


class AdmitEverything:
    """No rules beside Kubernetes' own."""

    def admit(self, write: Write) -> Sequence[str]:  # noqa: ARG002 - part of the port.
        return ()


class AdmitByAll:
    """Asks several rules one after the other."""

    def __init__(self, *rules: Admission) -> None:
        self._rules = rules

    def admit(self, write: Write) -> Sequence[str]:
        return [warning for rule in self._rules for warning in rule.admit(write)]


class AdmitByResource:
    """Sends each resource to its own rules, once *everything* has admitted it."""

    def __init__(
        self, rules: Mapping[GroupResource, Admission], everything: Admission | None = None
    ) -> None:
        self._rules = dict(rules)
        self._everything = everything

    def admit(self, write: Write) -> Sequence[str]:
        if self._everything is not None:
            self._everything.admit(write)
        rule = self._rules.get(write.kind.group_resource)
        return rule.admit(write) if rule is not None else ()
