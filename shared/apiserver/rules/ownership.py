"""Rules for what a policy says of ownership beyond its schema. Pure."""

import re
from collections.abc import Iterable

from shared.api.ownership import DriftPolicy, ReplicaOwnership
from shared.apiserver.rules.selection import forbidden, required, wrong
from shared.errors import FieldError

PATHS_MAX = 64
_POINTER = re.compile(r"(/([^~/]|~[01])*)+")
_NOT_OURS = ("apiVersion", "kind", "status")


def check_replica_ownership(ownership: ReplicaOwnership, path: str) -> Iterable[FieldError]:
    bounds = (("minReplicas", ownership.min_replicas), ("maxReplicas", ownership.max_replicas))
    if not ownership.is_shared:
        for field, value in bounds:
            if value is not None:
                yield forbidden(f"{path}.{field}", "bounds are for owner Shared")
        return
    if ownership.min_replicas is None and ownership.max_replicas is None:
        yield required(f"{path}.minReplicas", "owner Shared has minReplicas, maxReplicas or both")
    for field, value in bounds:
        if value is not None and value < 0:
            yield wrong(f"{path}.{field}", value, "must be 0 or more")
    if ownership.max_replicas is not None and ownership.max_replicas < (
        ownership.min_replicas or 0
    ):
        why = f"must not be below minReplicas ({ownership.min_replicas})"
        yield wrong(f"{path}.maxReplicas", ownership.max_replicas, why)


def check_drift(drift: DriftPolicy, path: str) -> Iterable[FieldError]:
    if len(drift.paths) > PATHS_MAX:
        yield wrong(f"{path}.paths", len(drift.paths), f"must be no more than {PATHS_MAX}")
    seen: set[str] = set()
    for index, one in enumerate(drift.paths):
        where = f"{path}.paths[{index}].path"
        if not _POINTER.fullmatch(one.path) or one.path == "/":
            why = "must be a JSON pointer such as /spec/template/metadata/annotations"
            yield wrong(where, one.path, why)
        elif one.path.split("/")[1] in _NOT_OURS:
            yield wrong(where, one.path, "is nothing that Hanse applies")
        if one.path in seen:
            yield FieldError(where, f"Duplicate value: {one.path}", "FieldValueDuplicate")
        seen.add(one.path)
