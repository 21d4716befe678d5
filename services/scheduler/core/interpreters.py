"""Which interpreter is heard, where several speak for the same kind."""

from collections.abc import Iterable, Mapping

from shared.api.interpreter import SPEAKING, InterpreterTarget, ResourceInterpreter
from shared.api.meta import Condition, section

KindName = tuple[str, str]


def kind_of(target: InterpreterTarget) -> KindName:
    """Group and kind: the version does not count."""
    return target.api_version.rpartition("/")[0], target.kind


def overruled(
    declaration: ResourceInterpreter, others: Iterable[ResourceInterpreter]
) -> Mapping[str, str]:
    """Return the operations of *declaration* that another answers first: operation -> its name.

    Of those that speak for the same objects the first by name is heard.
    """
    mine = section(declaration.spec.customizations)
    found: dict[str, str] = {}
    for other in sorted(others, key=lambda one: one.metadata.name, reverse=True):
        same = (
            kind_of(other.spec.target) == kind_of(declaration.spec.target)
            and other.spec.target.label_selector == declaration.spec.target.label_selector
        )
        if same and other.metadata.name < declaration.metadata.name:
            found |= dict.fromkeys(
                mine.keys() & section(other.spec.customizations).keys(), other.metadata.name
            )
    return dict(sorted(found.items()))


def speaking(
    declaration: ResourceInterpreter, others: Iterable[ResourceInterpreter], generation: int
) -> Condition:
    """Return the condition Speaking of a sound *declaration*."""
    silent = overruled(declaration, others)
    heard = sorted(section(declaration.spec.customizations).keys() - silent.keys())
    parts = [f"it answers {', '.join(heard)}"] if heard else ["it answers nothing"]
    parts += [f"{name} is asked first for {operation}" for operation, name in silent.items()]
    reason = "Speaks" if not silent else "PartlyOverruled" if heard else "Overruled"
    return Condition(
        type=SPEAKING,
        status="True" if heard else "False",
        reason=reason,
        message="; ".join(parts)[:1024],
        observed_generation=generation,
    )
