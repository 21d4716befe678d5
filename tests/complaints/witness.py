"""Somebody who stands in the members and remembers what happened to their objects."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from shared.apimachinery.manifest import ObjectKey, metadata_of
from shared.store.port import Change, ChangeType, Mirror


class Witness:
    """`deleted`: what was asked to go, by member. `replicas`: what Deployments ran, in order."""

    def __init__(self) -> None:
        self.deleted: list[tuple[str, ObjectKey]] = []
        self.replicas: dict[str, list[int]] = defaultdict(list)

    def see(self, cluster: str, change: Change) -> None:
        stored = change.stored
        if change.type is ChangeType.DELETED or "deletionTimestamp" in metadata_of(stored.manifest):
            # What controllers of the member tidy up is not what is asked here.
            if stored.key.resource not in ("pods", "replicasets", "endpoints", "endpointslices"):
                self.deleted.append((cluster, stored.key))
        elif stored.key.resource == "deployments":
            wanted = stored.manifest["spec"]["replicas"]
            if self.replicas[cluster][-1:] != [wanted]:
                self.replicas[cluster].append(wanted)


@contextmanager
def witnessing(mirrors: Mapping[str, Mirror]) -> Iterator[Witness]:
    """Watch from now on; *mirrors* are the members' stores."""
    witness = Witness()
    stops = [
        mirror.on_change(lambda change, cluster=cluster: witness.see(cluster, change))
        for cluster, mirror in mirrors.items()
    ]
    try:
        yield witness
    finally:
        for stop in stops:
            stop()
