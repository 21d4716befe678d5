"""How long a message lives: NATS counts in whole seconds, and begins with one."""

import math
from datetime import timedelta

TTL = "Nats-TTL"
_SECONDS_MIN = 1


def whole_seconds(ttl: timedelta) -> int:
    return max(_SECONDS_MIN, math.ceil(ttl.total_seconds()))
