"""Reading what is stored; what cannot be read is told in the log and is None."""

from dataclasses import dataclass

import structlog

from services.scheduler.core.groups import check_group
from shared.api.binding import PolicyReference, ResourceBinding
from shared.api.cluster_group import ClusterGroup
from shared.api.meta import read, read_json
from shared.apimachinery.manifest import Manifest
from shared.errors import InvalidObject
from shared.store.port import Stored

log = structlog.get_logger("hanse.scheduler")


@dataclass(frozen=True, slots=True)
class Bound:
    """A binding as stored, and read."""

    stored: Stored
    binding: ResourceBinding

    @property
    def is_leaving(self) -> bool:
        return self.binding.metadata.deletion_timestamp is not None

    @property
    def is_dismissed(self) -> bool:
        """Whether it leaves and asks for nothing more; one that somebody deleted is called back."""
        spec = self.binding.spec
        return self.is_leaving and not (spec.clusters or spec.evictions)


def holder_of(bound: Bound | None) -> PolicyReference | None:
    """Return the policy that has placed a template, as its binding says."""
    return bound.binding.spec.policy if bound is not None and not bound.is_leaving else None


def read_group(stored: Stored) -> ClusterGroup | None:
    try:
        group = read(stored.manifest, ClusterGroup)
        check_group(group)
    except InvalidObject as err:
        log.warning("group.unreadable", group=stored.key.name, error=str(err))
        return None
    return group


def read_binding(stored: Stored) -> Bound | None:
    try:
        return Bound(stored, read_json(stored.encoded, ResourceBinding))
    except InvalidObject as err:
        log.warning("binding.unreadable", binding=str(stored.key), error=str(err))
        return None


def kind_defined(stored: Stored | None) -> tuple[str, str] | None:
    spec: Manifest = (stored.glance().get("spec") or {}) if stored is not None else {}
    kind = (spec.get("names") or {}).get("kind")
    group = spec.get("group")
    return (group, kind) if isinstance(group, str) and isinstance(kind, str) else None
