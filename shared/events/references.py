"""The fact that a template refers to what is not at the hub, so that nothing brings it along.

Subject: `hanse.events.reference.missed.<key>`, where key is `resource.group/namespace/name`.
"""

import msgspec


class ReferenceMissed(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="reference.missed.v1"
):
    """`missing` as `ConfigMap shop/settings`; `occurred_at` is RFC 3339."""

    resource: str
    namespace: str = ""
    name: str
    template_uid: str = ""
    template_generation: int = 0
    missing: tuple[str, ...] = ()
    message: str
    occurred_at: str = ""
