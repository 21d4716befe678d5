"""Who carries out each duty, as processes say it: never two at the same time."""

from collections.abc import Mapping

from tests.simulation.history import History
from tests.simulation.process import Process
from tests.simulation.wire import Incarnation

ONE_AT_A_TIME = "one process at a time carries out a duty"


class Duties:
    """Hears what processes log of their leases; a loss is logged when the work has ended."""

    def __init__(self, history: History, processes: Mapping[str, Process]) -> None:
        self._history = history
        self._processes = processes
        self._holders: dict[str, Incarnation] = {}

    def hear(self, process: str, event: str, lease: str) -> None:
        speaker = self._processes.get(process)
        if speaker is None or speaker.life is None:
            return
        holder = self._holders.get(lease)
        if event == "lease.lost" and holder is speaker.life:
            del self._holders[lease]
        if event == "lease.acquired":
            if holder is not None and not holder.dead and holder is not speaker.life:
                self._history.violated(
                    ONE_AT_A_TIME, f"{process} begins with {lease}, {holder.name} is still at work"
                )
            self._holders[lease] = speaker.life
