"""`Event` objects made of what facts say: one for all that say the same, counted. Pure.

They are written as the recorder of client-go writes them, with the fields of both groups: `count`
and its times for those that read core/v1, `series` for those that read events.k8s.io/v1.
"""

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.gateway.core.tellings import MESSAGE_CHARACTERS_MAX, Telling
from shared.apimachinery.manifest import Manifest, ObjectKey
from shared.clock import format_micro_time, format_time

KEPT = timedelta(hours=1)
"""As long as kube-apiserver keeps an Event (`--event-ttl`)."""

NAMESPACE_OF_CLUSTER_SCOPED = "default"
_CLUSTERS_TOLD_MAX = 8
_NAME_CHARACTERS_MAX = 230


@dataclass(frozen=True, slots=True)
class Told:
    """One Event: what is told, in which clusters, how often and from when to when."""

    telling: Telling
    first: datetime
    last: datetime
    clusters: tuple[str, ...] = ()
    count: int = 1

    @classmethod
    def of(cls, telling: Telling, at: datetime) -> "Told":
        return cls(telling, at, at, (telling.cluster,) if telling.cluster else ())

    def again(self, cluster: str, at: datetime) -> "Told":
        """The same was told once more, of *cluster*."""
        clusters = self.clusters
        if cluster and cluster not in clusters:
            clusters = (*clusters, cluster)
        return replace(
            self,
            first=min(self.first, at),
            last=max(self.last, at),
            clusters=clusters,
            count=self.count + 1,
        )


def event_key(telling: Telling) -> ObjectKey:
    """Where the Event of *telling* is; every gateway gives it the same name."""
    about = telling.about
    of = f"{about.api_version}\n{about.kind}\n{about.uid}\n{about.name}"
    identity = f"{of}\n{telling.reason}\n{telling.message}"
    digest = hashlib.sha256(identity.encode()).hexdigest()[:16]
    namespace = about.namespace or NAMESPACE_OF_CLUSTER_SCOPED
    return ObjectKey("", "events", namespace, f"{about.name[:_NAME_CHARACTERS_MAX]}.{digest}")


def event_manifest(key: ObjectKey, told: Told) -> Manifest:
    """Return the Event at *key*, without a resourceVersion."""
    telling, about = told.telling, told.telling.about
    component = f"hanse-{telling.service}"
    first, last = format_time(told.first), format_time(told.last)
    involved = {
        "kind": about.kind,
        "namespace": about.namespace,
        "name": about.name,
        "uid": about.uid,
        "apiVersion": about.api_version,
    }
    event: Manifest = {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": {
            "name": key.name,
            "namespace": key.namespace,
            "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"hanse/events/{key}")),
            "creationTimestamp": first,
        },
        "involvedObject": {name: value for name, value in involved.items() if value},
        "reason": telling.reason,
        "message": message_of(told),
        "source": {"component": component},
        "firstTimestamp": first,
        "lastTimestamp": last,
        "count": told.count,
        "type": "Warning" if telling.warning else "Normal",
        "eventTime": format_micro_time(told.first),
        "action": telling.reason,
        "reportingComponent": component,
        "reportingInstance": component,
    }
    if told.count > 1:
        event["series"] = _series(told)
    return event


def _series(told: Told) -> Mapping[str, Any]:
    return {"count": told.count, "lastObservedTime": format_micro_time(told.last)}


def message_of(told: Told) -> str:
    """Return what is told, with the clusters it is told of at its end."""
    parts = [told.telling.message] if told.telling.message else []
    shown = ", ".join(told.clusters[:_CLUSTERS_TOLD_MAX])
    more = len(told.clusters) - _CLUSTERS_TOLD_MAX
    if shown:
        parts.append(f"{shown} and {more} more" if more > 0 else shown)
    text = " ".join(parts)
    most = MESSAGE_CHARACTERS_MAX
    return text if len(text) <= most else f"{text[: most - 3]}..."
