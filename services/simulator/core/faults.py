"""What may be wrong with a cluster on request."""

import msgspec


class Faults(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What is wrong with the cluster now; the default is nothing."""

    latency_milliseconds: float = 0.0
    """Added before every request is looked at."""

    error_rate: float = 0.0
    """The share of requests answered with `status`, from 0 to 1."""

    status: int = 500
    """The HTTP status of those answers."""

    hang: bool = False
    """Requests that come now are not answered until this ends; watches that run go on."""

    throttle: float = 0.0
    """Requests per second that are served; others get 429 with Retry-After. 0 serves all."""

    def __post_init__(self) -> None:
        if not 0 <= self.latency_milliseconds <= 600_000:
            raise ValueError("latencyMilliseconds must be from 0 to 600000")
        if not 0 <= self.error_rate <= 1:
            raise ValueError("errorRate must be from 0 to 1")
        if not 400 <= self.status <= 599:
            raise ValueError("status must be from 400 to 599")
        if self.throttle < 0:
            raise ValueError("throttle must not be negative")


def read_faults(body: bytes | str) -> Faults:
    """Read JSON; raises ValueError saying what is wrong with it."""
    return msgspec.json.decode(body, type=Faults)
