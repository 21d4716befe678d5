"""Rules for selectors of objects and clusters, wherever they stand in a policy. Pure."""

from collections.abc import Iterable, Sequence

from shared.api.meta import GROUP
from shared.api.own_kinds import OWN_KINDS
from shared.api.selection import ClusterAffinity, GroupAffinity, LabelSelector, ResourceSelector
from shared.apimachinery.selectors import from_struct
from shared.apiserver.names import check_label, check_subdomain
from shared.errors import FieldError

ANY = "*"


def required(path: str, why: str) -> FieldError:
    return FieldError(path, f"Required value: {why}", "FieldValueRequired")


def wrong(path: str, value: object, why: str) -> FieldError:
    shown = f'"{value[:100]}"' if isinstance(value, str) else str(value)
    return FieldError(path, f"Invalid value: {shown}: {why}")


def forbidden(path: str, why: str) -> FieldError:
    return FieldError(path, f"Forbidden: {why}", "FieldValueForbidden")


def check_resource_selectors(
    selectors: Sequence[ResourceSelector], path: str, namespace: str
) -> Iterable[FieldError]:
    """*namespace*: the policy's own; "" for a cluster-scoped one, which may name any."""
    for index, selector in enumerate(selectors):
        yield from _check_resource_selector(selector, f"{path}[{index}]", namespace)


def _check_resource_selector(
    selector: ResourceSelector, path: str, namespace: str
) -> Iterable[FieldError]:
    if not selector.api_version:
        yield required(f"{path}.apiVersion", "which API the objects are of")
    if not selector.kind:
        yield required(f"{path}.kind", "which kind the objects are of")
    if (selector.kind == ANY) != (selector.api_version == ANY):
        yield wrong(
            f"{path}.kind", selector.kind, 'every kind is kind "*" together with apiVersion "*"'
        )
    if selector.api_version.partition("/")[0] == GROUP:
        yield forbidden(f"{path}.apiVersion", "Hanse's own objects are not propagated")
    if (selector.api_version.rpartition("/")[0], selector.kind) in OWN_KINDS:
        own = f"objects of kind {selector.kind} are written by each cluster and not propagated"
        yield forbidden(f"{path}.kind", own)
    if namespace and selector.namespace not in ("", namespace):
        yield wrong(
            f"{path}.namespace",
            selector.namespace,
            f"a policy selects in its own namespace ({namespace}) only",
        )
    if selector.name and (why := check_subdomain(selector.name)) and ":" not in selector.name:
        yield wrong(f"{path}.name", selector.name, why)
    yield from check_label_selector(selector.label_selector, f"{path}.labelSelector")


def check_label_selector(selector: LabelSelector | None, path: str) -> Iterable[FieldError]:
    if selector is None:
        return
    try:
        from_struct(selector)
    except ValueError as err:
        yield FieldError(path, f"Invalid value: {err}")


def check_affinity(affinity: ClusterAffinity | None, path: str) -> Iterable[FieldError]:
    if affinity is None:
        return
    yield from check_label_selector(affinity.label_selector, f"{path}.labelSelector")
    for field, names in (("clusterNames", affinity.cluster_names), ("exclude", affinity.exclude)):
        for index, name in enumerate(names):
            if why := check_label(name):
                yield wrong(f"{path}.{field}[{index}]", name, why)
    if isinstance(affinity, GroupAffinity):
        for index, name in enumerate(affinity.cluster_groups):
            if why := check_label(name):
                yield wrong(f"{path}.clusterGroups[{index}]", name, why)
    if affinity.field_selector is not None:
        for index, one in enumerate(affinity.field_selector.match_expressions):
            if not one.values:
                where = f"{path}.fieldSelector.matchExpressions[{index}].values"
                yield required(where, f"at least one with operator {one.operator}")
