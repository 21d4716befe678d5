"""That what is fenced never runs in two members, as their kubelets would have it.

Pods run from the moment at which their object has replicas until their grace is over after it has
none. A member that once left runs what it had by its administrator's word, and is not judged.
"""

import asyncio
import math
from collections.abc import Mapping

from services.propagator.core.marks import FENCED_LABEL
from shared.apimachinery.manifest import ObjectKey, labels_of, metadata_of
from shared.events.orders import TEMPLATE_UID
from shared.store.port import Change, ChangeType
from tests.simulation.history import History
from tests.simulation.manifests import FENCED_GRACE_SECONDS
from tests.simulation.member import DEPLOYMENTS, Member

RUNS_ONCE = "11 what is fenced runs in one member"
GRACE_SECONDS = FENCED_GRACE_SECONDS * 1.01


class Exclusion:
    """Follows the members' own stores."""

    def __init__(self, history: History, members: Mapping[str, Member]) -> None:
        self._history = history
        self._left: set[str] = set()
        self._until: dict[tuple[ObjectKey, str], dict[str, float]] = {}
        for name, member in members.items():
            member.store.mirror.on_change(
                lambda change, name=name: self._on_change(name, change)  # type: ignore[misc]
            )

    def left(self, cluster: str) -> None:
        self._left.add(cluster)

    def _on_change(self, cluster: str, change: Change) -> None:
        manifest = change.stored.manifest
        key = change.stored.key
        if (key.group, key.resource) != DEPLOYMENTS or cluster in self._left:
            return
        if labels_of(manifest).get(FENCED_LABEL) != "true":
            return
        now = asyncio.get_running_loop().time()
        uid = (metadata_of(manifest).get("annotations") or {}).get(TEMPLATE_UID, "")
        until = self._until.setdefault((key, uid), {})
        runs = change.type is not ChangeType.DELETED and manifest["spec"].get("replicas", 1) > 0
        before = until.get(cluster, 0.0)
        if runs == (before == math.inf):
            return
        if not runs:
            until[cluster] = now + GRACE_SECONDS
            self._history.note(f"{cluster} stops {key.name}")
            return
        self._history.note(f"{cluster} starts {key.name}")
        until[cluster] = math.inf
        for name, ends in until.items():
            if name != cluster and ends > now and name not in self._left:
                when = "runs" if ends == math.inf else f"ends in {ends - now:.1f} s"
                self._history.violated(
                    RUNS_ONCE, f"{key.name} starts in {cluster}, and {when} in {name}"
                )
