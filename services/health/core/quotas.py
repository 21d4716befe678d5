"""What ResourceQuotas leave to the pods of a namespace.

Of a quota that speaks of some pods only (by scopes) it cannot be told here whether it speaks of
those that will come; it is passed over, and so are limits, which are not what room is reckoned by.
"""

from collections.abc import Iterable
from decimal import Decimal

from shared.api.cluster import NamespaceRoom
from shared.apimachinery.manifest import Manifest, namespace_of
from shared.apimachinery.quantity import form_of, format_quantity, parse_quantity
from shared.interpreter.health import section_of
from shared.interpreter.quota import counted

NAMESPACES_MAX = 200


def quota_rooms(quotas: Iterable[Manifest]) -> tuple[NamespaceRoom, ...]:
    """Return what is left by namespace; of many namespaces the first by name."""
    found: dict[str, dict[str, tuple[Decimal, str]]] = {}
    for quota in quotas:
        spec, status = section_of(quota, "spec"), section_of(quota, "status")
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        hard, used = section_of(spec, "hard"), section_of(status, "used")
        rooms = found.setdefault(namespace_of(quota), {})
        for stated, limit in hard.items():
            name = counted(stated)
            if not name:
                continue
            try:
                left = parse_quantity(str(limit)) - parse_quantity(str(used.get(stated, 0)))
            except ValueError:
                continue
            left = max(left, Decimal(0))
            if name not in rooms or left < rooms[name][0]:
                rooms[name] = left, format_quantity(left, form_of(str(limit)))
    told = [
        NamespaceRoom(
            namespace=namespace,
            free={name: text for name, (_, text) in sorted(rooms.items())},
        )
        for namespace, rooms in sorted(found.items())
        if rooms
    ]
    return tuple(told[:NAMESPACES_MAX])
