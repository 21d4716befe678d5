"""Which scores of other systems are taken, and why others are not."""

import math
from collections.abc import Iterable

from shared.api.scoring import MEASURED
from shared.apiserver.names import check_label
from shared.apiserver.rules.selection import required, wrong
from shared.errors import FieldError
from shared.events.scores import TTL_SECONDS_MAX, VALUES_MAX, PublishScores


def check_scores(asked: PublishScores) -> Iterable[FieldError]:
    """Name every fault; that a cluster is not known is for whoever knows them."""
    if why := check_label(asked.name):
        yield wrong("name", asked.name, why)
    elif asked.name in MEASURED:
        yield wrong("name", asked.name, "it is worked out by Hanse itself")
    if not 1 <= asked.ttl_seconds <= TTL_SECONDS_MAX:
        yield wrong("ttlSeconds", asked.ttl_seconds, f"must be between 1 and {TTL_SECONDS_MAX}")
    if not asked.values:
        yield required("values", "a value for a cluster, at least")
    if len(asked.values) > VALUES_MAX:
        yield FieldError("values", f"Too many: {len(asked.values)}: must have at most {VALUES_MAX}")
    for cluster, value in asked.values.items():
        if value is not None and not math.isfinite(value):
            yield wrong(f"values[{cluster}]", value, "must be a finite number")
