"""What a stored binding says, read from its manifest: most changes need no more of it."""

from collections.abc import Mapping

from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.events.work import WorkReport


def template_of(binding: Manifest) -> ObjectKey | None:
    """Return where the template of *binding* is; None for one that does not say."""
    try:
        resource = binding["spec"]["resource"]
        group, _, _ = str(resource["apiVersion"]).rpartition("/")
        namespace = str(resource.get("namespace") or "")
        return ObjectKey(group, str(resource["resource"]), namespace, str(resource["name"]))
    except (KeyError, TypeError):
        return None


def targets_of(binding: Manifest) -> set[str]:
    """Return the names of the clusters a binding's status speaks of."""
    spec = binding.get("spec") or {}
    return {str(each.get("name")) for each in spec.get("clusters") or ()} | {
        str(each.get("cluster")) for each in spec.get("evictions") or ()
    }


def is_moving(binding: Manifest) -> bool:
    """Tell whether the scheduler waits for news of a share that comes, grows or goes."""
    spec = binding.get("spec") or {}
    return bool(spec.get("evictions")) or any(
        each.get("since") for each in spec.get("clusters") or ()
    )


def is_reported_on(binding: Manifest, reports: Mapping[str, WorkReport]) -> bool:
    """Tell whether any member spoke of the template as *binding* places it now."""
    generation = _generation_of(binding)
    return any(
        (report := reports.get(name)) is not None and report.template_generation >= generation
        for name in targets_of(binding)
    )


def is_settled(binding: Manifest, reports: Mapping[str, WorkReport]) -> bool:
    """Tell whether every member did what *binding* asks of it, and is well."""
    generation = _generation_of(binding)
    return all(
        (report := reports.get(name)) is not None
        and report.applied
        and report.template_generation >= generation
        and report.health == "Healthy"
        for name in targets_of(binding)
    )


def _generation_of(binding: Manifest) -> int:
    return int(((binding.get("spec") or {}).get("resource") or {}).get("generation") or 0)
