"""The manifest of one member, from a template: for dispatch, and for who wants to see it first."""

from collections.abc import Mapping, Sequence

from services.propagator.core.overrides import Override, OverrideFailure, apply_overrides
from services.propagator.core.render import render
from shared.api.binding import Share
from shared.api.cluster import Cluster
from shared.apimachinery.manifest import Manifest
from shared.events.orders import stamp
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.portions import with_portions


def render_share(template: Manifest, interpreter: Interpreter, share: Share) -> Manifest:
    """What a member is to hold of *template* by its share alone, before any override."""
    rendered = render(template, interpreter, share.replicas)
    divided = with_portions(rendered, share.completions, share.ordinals_start)
    return _with_labels(divided, dict(share.preserved)) if share.preserved else divided


def _with_labels(manifest: Manifest, labels: Mapping[str, str]) -> Manifest:
    metadata = manifest["metadata"]
    return {
        **manifest,
        "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **labels}},
    }


def render_for(
    cluster: Cluster,
    template: Manifest,
    interpreter: Interpreter,
    share: Share,
    *,
    overrides: Sequence[Override],
    uid: str,
) -> Manifest | OverrideFailure:
    """What *cluster* must hold of *template*, with room for the generation of the work.

    *share* is that of the cluster; *overrides* are those for it, in order; *uid* is the template's.
    """
    changed = apply_overrides(render_share(template, interpreter, share), overrides, cluster)
    return changed if isinstance(changed, OverrideFailure) else stamp(changed, uid)
