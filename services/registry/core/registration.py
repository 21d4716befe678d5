"""Who may be a member: one cluster, one name.

A name stands for the cluster it was first proved to be. Credentials that lead to another one are
refused, since everything that was put in the one would be missed, and put in the other.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from services.registry.core.inventory import Identity
from services.registry.core.lifecycle import Reason, Trigger
from shared.interpreter.versions import VERSION_MIN, is_supported


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A registered cluster as others see it; `created` is RFC 3339, `id` empty until proved."""

    name: str
    id: str
    joined: bool
    created: str

    @property
    def seniority(self) -> tuple[bool, str, str]:
        """Sorts the one with the better claim first."""
        return (not self.joined, self.created, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """Whether it may be a member, and why."""

    trigger: Trigger
    reason: Reason
    message: str


def rule(member: Member, identity: Identity, fleet: Iterable[Member], *, hub: str = "") -> Ruling:
    """Decide on *member*, which answered as *identity*; *fleet* may include it.

    *hub* is the id by which the federation's own API would be known: what it decides would come
    back to it as new templates.
    """
    if not identity.id:
        return _refused(Reason.NO_IDENTITY, "the member has no namespace kube-system to know it by")
    if identity.id == hub:
        return _refused(Reason.HUB_ITSELF, "the credentials lead to this federation's own API")
    if member.id and member.id != identity.id:
        return _refused(
            Reason.IDENTITY_CHANGED,
            f"the credentials lead to another cluster ({identity.id}) than the one that joined "
            f"as {member.name} ({member.id}); leave with the old one first",
        )
    if not is_supported(identity.version):
        least = ".".join(map(str, VERSION_MIN))
        return _refused(
            Reason.UNSUPPORTED_VERSION,
            f"Kubernetes {identity.version or 'of unknown version'}; at least {least} is needed",
        )
    for other in sorted(fleet, key=lambda each: each.seniority):
        twin = other.id == identity.id and other.name != member.name
        if twin and other.seniority < member.seniority:
            return _refused(
                Reason.ALREADY_MEMBER, f"this cluster is a member already, as {other.name}"
            )
    return Ruling(
        trigger=Trigger.PROVED,
        reason=Reason.IDENTIFIED,
        message=f"Kubernetes {identity.version}",
    )


def _refused(reason: Reason, message: str) -> Ruling:
    return Ruling(trigger=Trigger.DISPROVED, reason=reason, message=message)
