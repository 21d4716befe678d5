"""What a reconciler answers for one key."""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

Key = TypeVar("Key", bound=Hashable)
Key_contra = TypeVar("Key_contra", bound=Hashable, contravariant=True)


@dataclass(frozen=True, slots=True)
class Done:
    """Observed matches desired, as far as this reconciler can make it so."""


@dataclass(frozen=True, slots=True)
class Again:
    """Wake this key after a while although nothing may change (a toleration runs out)."""

    after: timedelta


Result = Done | Again


class Reconciler(Protocol[Key_contra]):
    """Makes observed match desired for one key; never runs twice at once for the same one."""

    async def reconcile(self, key: Key_contra) -> Result:
        """RetryableError: again with back-off. TerminalError: quarantined until the key changes."""
        ...
