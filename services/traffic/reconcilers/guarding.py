"""One guard for all that takes in what others wrote, so that one bad object ends nothing else.

Whoever follows a stream or a mirror reads thousands of objects of which each has another author.
What cannot be read of one is passed over and told; whatever was known of it before stands.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import structlog

from shared.errors import HanseError
from shared.telemetry import metrics

log = structlog.get_logger("hanse.traffic")

Told = Callable[[str], None]


def _nobody(_why: str) -> None:
    return


class Guard:
    """Of one process."""

    def __init__(self, *, fail_fast: bool = False) -> None:
        """With *fail_fast* a bug of our own is raised; what is written wrong never is."""
        self._fail_fast = fail_fast

    @contextmanager
    def taking(self, task: str, key: object, told: Told = _nobody) -> Iterator[None]:
        """Do within what takes in one object; *told* hears in words why that failed.

        *task* is one of few words.
        """
        try:
            yield
        except (ValueError, HanseError, msgspec.MsgspecError, RecursionError) as err:
            log.warning("intake.unreadable", task=task, key=str(key), error=str(err))
            self._tell(task, key, err, told)
        except Exception as err:
            if self._fail_fast:
                raise
            log.exception("intake.bug", task=task, key=str(key))
            self._tell(task, key, err, told)

    def _tell(self, task: str, key: object, err: Exception, told: Told) -> None:
        metrics.PASSED_OVER.labels(task).inc()
        told(f"{key} cannot be understood: {err or type(err).__name__}")
