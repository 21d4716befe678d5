"""What a member's API server does to objects before it stores them: defaults and addresses."""

from collections.abc import Sequence
from ipaddress import IPv4Network

from services.simulator.core.defaults import with_defaults
from services.simulator.core.jobs import select_own_pods
from services.simulator.core.plan import JOBS, NAMESPACES, SERVICES
from services.simulator.core.services import with_addresses
from services.simulator.core.view import View
from shared.apimachinery.manifest import Manifest, name_of
from shared.apiserver.admission import Write
from shared.errors import FieldError, InvalidObject


class MemberAdmission:
    """Implements `Admission`."""

    def __init__(self, view: View, services: IPv4Network) -> None:
        self._view = view
        self._services = services

    def admit(self, write: Write) -> Sequence[str]:
        old, new = write.old, write.new
        if new is None:
            return ()
        resource = write.kind.group_resource
        changed = with_defaults(resource, new)
        if resource == JOBS and old is None:
            changed = select_own_pods(changed)
        elif resource == SERVICES:
            changed = self._with_addresses(old, changed)
        if changed is not new:
            new.update(changed)
        return ()

    def _with_addresses(self, old: Manifest | None, new: Manifest) -> Manifest:
        others = (
            service
            for namespace in self._view.all(NAMESPACES)
            for service in self._view.all(SERVICES, name_of(namespace))
        )
        try:
            return with_addresses(new, old, self._services, others)
        except ValueError as err:
            fault = FieldError("spec.clusterIP", "Internal error: the address range is full")
            raise InvalidObject("no address is left", [fault]) from err
