"""The overrider that replaces variables of the cluster in the object's own texts."""

from typing import Any

from jsonpointer import escape

from services.propagator.core.overriders.pointers import look_up, put
from services.propagator.core.overriders.refusal import NotApplicable
from shared.api.cluster import Cluster
from shared.api.override import VariablesOverrider
from shared.api.variables import UnusableVariable, expand
from shared.apimachinery.manifest import Manifest


def override_variables(manifest: Manifest, overrider: VariablesOverrider, cluster: Cluster) -> None:
    """Expand every text at the path and below; names of fields stay as they are."""
    put(
        manifest,
        overrider.path,
        _expanded(look_up(manifest, overrider.path), overrider.path, cluster),
    )


def _expanded(value: Any, path: str, cluster: Cluster) -> Any:
    if isinstance(value, dict):
        return {
            name: _expanded(each, f"{path}/{escape(name)}", cluster) for name, each in value.items()
        }
    if isinstance(value, list):
        return [_expanded(each, f"{path}/{at}", cluster) for at, each in enumerate(value)]
    if not isinstance(value, str):
        return value
    try:
        return expand(value, cluster)
    except UnusableVariable as err:
        raise NotApplicable(f"at {path[:300]!r}: {err}") from err
