"""The manifest of one member, from a template: for dispatch, and for who wants to see it first."""

from collections.abc import Sequence

from services.propagator.core.overrides import Override, OverrideFailure, apply_overrides
from services.propagator.core.render import render, stamp
from shared.api.cluster import Cluster
from shared.apimachinery.manifest import Manifest
from shared.interpreter.interpreter import Interpreter


def render_for(
    cluster: Cluster,
    template: Manifest,
    interpreter: Interpreter,
    replicas: int | None,
    *,
    overrides: Sequence[Override],
    uid: str,
) -> Manifest | OverrideFailure:
    """What *cluster* must hold of *template*, with room for the generation of the work.

    *replicas* is the share of the cluster, None where it is as the template has it; *overrides*
    are those for the cluster, in order; *uid* is the template's.
    """
    changed = apply_overrides(render(template, interpreter, replicas), overrides, cluster)
    return changed if isinstance(changed, OverrideFailure) else stamp(changed, uid)
