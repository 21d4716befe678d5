"""Orders for namespaces that no policy places: they are there for what lives in them.

Override policies that select namespaces speak of them as of anything; those for whatever there is
do not, since most of what they say is of workloads.
"""

from collections.abc import Iterable

from services.propagator.core.overrides import (
    Override,
    OverrideFailure,
    PolicyRules,
    apply_overrides,
    overrides_for,
)
from services.propagator.core.render import render_namespace
from services.propagator.core.works import make_namespace_order
from services.propagator.dispatch.orders import Orders, ParsedObjects
from shared.api.matching import ANY
from shared.apimachinery.manifest import Manifest, ObjectKey, generation_of, uid_of
from shared.events.orders import Encoded, stamp


def following_orders(
    key: ObjectKey, template: Manifest | None, clusters: Iterable[str], parsed: ParsedObjects
) -> Orders:
    """Render the namespace *key*, *template* at the hub, for each of *clusters*.

    Where an override fails the order is the plain one beside the failure, so that what lives there
    is not held up.
    """
    orders, uid = Orders(), uid_of(template) if template is not None else ""
    generation = generation_of(template) if template is not None else 0
    plain = render_namespace(key.name, template)
    policies = [one for one in parsed.policies(template) if _names_kinds(one)] if template else []

    def ordered(manifest: Manifest) -> Encoded:
        return make_namespace_order(key, stamp(manifest, uid), uid=uid, generation=generation)

    unchanged = ordered(plain)
    for name in clusters:
        cluster = parsed.cluster(name) if policies else None
        overrides: tuple[Override, ...] = ()
        if cluster is not None:
            overrides = overrides_for(policies, cluster, parsed.groups)
        orders.by_cluster[name] = unchanged
        if not overrides or cluster is None:
            continue
        changed = apply_overrides(plain, overrides, cluster)
        if isinstance(changed, OverrideFailure):
            orders.failures[name] = changed
        else:
            orders.by_cluster[name] = ordered(changed)
    return orders


def _names_kinds(policy: PolicyRules) -> bool:
    return any(one.kind != ANY for one in policy.policy.spec.resource_selectors)
