"""Whose replicas come first where room is short.

`schedulePriority` is Karmada's (`policy.karmada.io/v1alpha1`). Left out, the PriorityClass that
the template's pods name counts, as with `PodPriorityClass`.
"""

from typing import Annotated, Literal

from msgspec import Meta

from shared.api.meta import Struct


class SchedulePriority(Struct, frozen=True, kw_only=True):
    """By which PriorityClass, as the hub has it, an object is placed."""

    priority_class_source: Annotated[
        Literal["KubePriorityClass", "PodPriorityClass"],
        Meta(
            description="KubePriorityClass: the one of that name. PodPriorityClass: the one that"
            " the object's pods name."
        ),
    ] = "PodPriorityClass"
    priority_class_name: Annotated[
        str, Meta(description="With KubePriorityClass: the name of a PriorityClass.")
    ] = ""


class BindingPriority(Struct, frozen=True, kw_only=True):
    """The number that counts: 0 where no class says another."""

    priority: int = 0
