"""How an object ends: at once, or marked until nothing holds it any more.

Source: `k8s.io/apiserver/pkg/registry/rest` (BeforeDelete).
"""

from shared.apimachinery.manifest import Manifest
from shared.apiserver.definitions.status import terminating
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.life.marks import DEFINITIONS, FOREGROUND, NAMESPACES, ORPHAN


def must_go(manifest: Manifest) -> bool:
    """Whether the object is being deleted and nothing holds it any more."""
    metadata = manifest["metadata"]
    if not metadata.get("deletionTimestamp") or metadata.get("finalizers"):
        return False
    if manifest.get("kind") == "Namespace" and manifest.get("apiVersion") == "v1":
        return not (manifest.get("spec") or {}).get("finalizers")
    return True


def prepare_delete(kind: ResourceKind, old: Manifest, *, propagation: str, now: str) -> Manifest:
    """Return the object marked for deletion; `must_go` tells whether it can go at once.

    Orphan and Foreground become finalizers, which the garbage collector serves.
    """
    before = old["metadata"]
    finalizers = [one for one in before.get("finalizers") or [] if one not in (ORPHAN, FOREGROUND)]
    if propagation == "Orphan":
        finalizers.append(ORPHAN)
    elif propagation == "Foreground":
        finalizers.append(FOREGROUND)
    elif not propagation:
        finalizers = list(before.get("finalizers") or [])
    metadata = {**before}
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    if not before.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = now
        metadata["deletionGracePeriodSeconds"] = 0
        metadata["generation"] = int(before.get("generation") or 0) + 1
    marked: Manifest = {**old, "metadata": metadata}
    if kind.group_resource == NAMESPACES:
        marked["status"] = {**(old.get("status") or {}), "phase": "Terminating"}
    if kind.group_resource == DEFINITIONS:
        return terminating(marked, now=now)
    return marked
