"""What a worker knows of each object it answers for: hashes and numbers, hardly ever a manifest."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from services.propagator.core.contest import CONTESTED, Contest
from services.propagator.core.observed import LiveObject, Observed, is_newer
from services.propagator.core.ownership import stray_replicas
from shared.api.drift import DriftReport
from shared.api.ownership import PLAIN, OwnershipTerms
from shared.apimachinery.manifest import GroupVersionKind, ObjectKey
from shared.bus.port import Delivery, Message
from shared.controller.turns import Urgency
from shared.events.work import URGENT, WorkOrder, WorkReport
from shared.memberapi.port import ResourceType

GRAVES_MAX = 1_000


def kind_of(order: WorkOrder) -> ResourceType:
    gvk = GroupVersionKind.parse(order.api_version, order.kind)
    return ResourceType(gvk, order.resource, order.namespaced)


@dataclass(slots=True, eq=False)
class TrackedObject:
    """One object: what was ordered last, how far we got, what we saw of it.

    `message` holds the order while it is in hand; afterwards it is read again when needed. What
    arrives meanwhile waits in `arrived`, so nothing changes under whoever carries it out.
    """

    key: ObjectKey
    sequence: int = 0
    message: Message | None = None
    delivery: Delivery | None = None
    arrived: Delivery | None = None
    received: float = 0.0
    """When `message`, or what is in `arrived`, came: in seconds of the worker's clock."""
    stray: ResourceType | None = None
    """It was found with our mark, and nothing is known to have been ordered of it."""
    urgent: bool = False
    """The order removes the object, or puts it in the place of what is lost elsewhere."""
    kind: ResourceType | None = None
    """Known once an order was read."""
    deleted: bool = False
    template_uid: str = ""
    template_generation: int = 0
    pending: bool = True
    """Something is left to do for order `sequence`."""
    applied: int = 0
    """The sequence that was applied last."""
    baseline: str = ""
    """Digest of our fields right after that."""
    seen: Observed | None = None
    borne: int = 0
    """A newer order it bears that WORK does not know: somebody's edit, or WORK began anew."""
    latest: LiveObject | None = None
    """What the watch showed last while an order was in hand; reported when that is done."""
    doubted: bool = False
    """The watch says it is gone, or no longer ours: ask before believing."""
    removing: str = ""
    """The uid whose deletion the member accepted."""
    drift: Literal["", "Edited", "Deleted"] = ""
    terms: OwnershipTerms = PLAIN
    delegated: bool = False
    """The member decides how many replicas run, as far as was reported."""
    suspect: bool = False
    """What was seen may be no drift, and must be looked at all the same."""
    standing: DriftReport | None = None
    """The drift that is reported and not over."""
    contest: Contest = field(default_factory=Contest)
    failures: int = 0
    looks: int = 0
    """How often it was looked at since the member agreed to delete it."""
    restored: int = 0
    """The sequence that was found in WORK by looking there, until it is delivered too."""
    reported: WorkReport | None = None
    fenced: bool = False
    """It may run under a term of the member's lease only."""
    stilled: bool = False
    """It has been stopped, whatever its order says."""
    fence_moved: bool = False
    """It may have been stopped since it was looked at."""
    rest: tuple[int, float] = (0, 0.0)
    """By which order it rests, and when its last pods have ended, by the worker's clock."""
    rested: bool = False
    """They have, and are known to."""
    since: str = ""
    """That of the order, where it asks about a share on the move."""
    quiet: bool = False
    """Another than dispatch ordered it: that it was carried out is in its report, and no fact."""
    coined: bool = False
    """Its name is nobody else's."""

    async def take_arrived(self) -> None:
        """Make the delivery that arrived the one in hand; acknowledge what it supersedes."""
        arrived, self.arrived = self.arrived, None
        if arrived is None:
            return
        message = arrived.message
        self.restored = 0
        done = message.sequence == self.sequence and not self.pending
        if message.sequence < self.sequence or done:
            await arrived.acknowledge()
            return
        superseded = self.delivery if message.sequence > self.sequence else None
        self.take_up(message, self.received)
        self.delivery, self.pending = arrived, True
        # Last: should it fail, the new order is in hand all the same.
        if superseded is not None:
            await superseded.acknowledge()

    def take_up(self, message: Message, received: float) -> None:
        """Make *message* the order in hand. One without its body is to be read again."""
        if message.sequence > self.sequence:
            self.failures, self.looks, self.drift = 0, 0, ""
        self.sequence, self.received = message.sequence, received
        self.message = message if message.body else None

    def restore(self, message: Message, order: WorkOrder) -> None:
        """Take note of an *order* that lies in WORK; *message* may be delivered yet."""
        self.take_up(message, self.received)
        # Read again when its turn is: most were carried out already.
        self.message = None
        self.restored, self.pending = message.sequence, True
        self.read(order)

    @property
    def urgency(self) -> Urgency:
        """How soon it is to have its turn."""
        if self.arrived is not None:
            return Urgency.FIRST if URGENT in self.arrived.message.headers else Urgency.CHANGE
        if self.applied == self.sequence:
            return Urgency.UPKEEP
        return Urgency.FIRST if self.urgent else Urgency.CHANGE

    def observe(self, seen: Observed) -> bool:
        """Keep *seen* unless something later was seen already; whether it was kept."""
        if (
            self.seen is not None
            and self.seen.uid == seen.uid
            and not is_newer(seen.resource_version, self.seen.resource_version)
        ):
            return False
        self.seen = seen
        return True

    def read(self, order: WorkOrder) -> None:
        """Take note of what *order* says, the manifest aside."""
        self.kind = kind_of(order)
        self.deleted = order.is_tombstone
        self.urgent = order.is_urgent
        self.terms = order.ownership
        self.fenced, self.since = order.fence is not msgspec.UNSET, order.since
        self.quiet, self.coined = not order.is_dispatched, order.coined is True
        if self.deleted:
            self.standing, self.delegated = None, False
        self.template_uid = order.template_uid
        self.template_generation = order.template_generation

    def resume(self, drift: DriftReport, now: float) -> None:
        """Go on with the *drift* that a predecessor reported."""
        self.standing = drift
        if drift.state == "Contested":
            self.contest = Contest(CONTESTED, now, drift.since, told=True)

    def suspects(self, live: LiveObject) -> bool:
        """Whether *live* must be looked at though all that is ours in it is as it was.

        Somebody may have put back what they had changed, or scaled past what they may.
        """
        if self.terms is PLAIN:
            return False
        if self.standing is not None and self.standing.state == "Reported":
            self.suspect = True
        elif self.terms.replica_ownership.is_shared:
            self.suspect = stray_replicas(self.terms, live.replicas) is not None
        return self.suspect

    @property
    def special(self) -> bool:
        """Whether an apply must regard what others did to it, or may do."""
        return bool(self.drift) or self.delegated or self.terms.is_lenient

    @property
    def drifted(self) -> bool:
        """Whether what was seen last differs from what we left."""
        seen = self.seen
        return (
            not self.deleted
            and seen is not None
            and bool(self.baseline)
            and self.applied == self.sequence
            # A higher one is another worker's, which knows better. A lower one was written by a
            # worker that is late: it owns the same fields by our name, so they do not tell.
            and (
                seen.work_generation < self.sequence
                or (seen.work_generation == self.sequence and seen.fields_digest != self.baseline)
            )
        )

    @property
    def outrun_anew(self) -> bool:
        """Whether it was outrun since WORK was asked about it last."""
        return self.outrun and self.seen is not None and self.seen.work_generation != self.borne

    @property
    def outrun(self) -> bool:
        """Whether it bears a newer order than ours: another worker's, or somebody's edit."""
        return self.seen is not None and self.seen.work_generation > self.sequence


@dataclass(frozen=True, slots=True)
class Grave:
    """What was removed lately: by which order, and which object it was."""

    tombstone: Message
    uid: str


class Objects:
    """All of a member's, by key, and by kind for what a list does not show.

    Of what was removed lately the order is kept. A request that was given up may be carried out
    long after, or a member be restored from a backup, and bring an object back when WORK no longer
    speaks of it.
    """

    def __init__(self) -> None:
        self._by_key: dict[ObjectKey, TrackedObject] = {}
        # Removed by orders found in WORK, which are still to be delivered.
        self._removed: dict[ObjectKey, int] = {}
        self._graves: OrderedDict[ObjectKey, Grave] = OrderedDict()

    def get(self, key: ObjectKey) -> TrackedObject | None:
        return self._by_key.get(key)

    def track(self, key: ObjectKey) -> TrackedObject:
        found = self._by_key.get(key)
        if found is None:
            found = self._by_key[key] = TrackedObject(key)
        return found

    def drop(self, tracked: TrackedObject) -> None:
        """Forget it, unless a new order for it has arrived."""
        if tracked.arrived is None and self._by_key.get(tracked.key) is tracked:
            del self._by_key[tracked.key]

    def bury(self, tracked: TrackedObject, tombstone: Message | None) -> None:
        """Forget it but for the order by which it was removed."""
        if tombstone is not None:
            self._graves.pop(tracked.key, None)
            self._graves[tracked.key] = Grave(tombstone, tracked.removing)
            if len(self._graves) > GRAVES_MAX:
                self._graves.popitem(last=False)
        self.drop(tracked)

    def tombstone_of(self, tracked: TrackedObject) -> Message | None:
        """The order by which it was removed, where nothing newer was heard of."""
        grave = self._graves.get(tracked.key)
        known = grave is not None and tracked.sequence <= grave.tombstone.sequence
        return grave.tombstone if grave is not None and known else None

    def rise(self, key: ObjectKey, live: LiveObject, *, listed: bool) -> TrackedObject | None:
        """Take up what was removed, and is there again as an older order had it.

        The very object that was removed is an echo in a watch; in a list, where nobody *listed*
        what is gone, it came back with a member that was restored from a backup.
        """
        grave = self._graves.get(key)
        if grave is None or key in self._by_key:
            return None
        if live.metadata.uid == grave.uid and not listed:
            return None
        older = 0 < live.observe().work_generation < grave.tombstone.sequence
        return self.track(key) if older else None

    def note_removed(self, tracked: TrackedObject) -> None:
        """Remember an order that was carried out, should it be delivered yet.

        Dispatch forgets the object once it is told; to be told again it would keep for ever.
        """
        if tracked.restored == tracked.sequence:
            self._removed[tracked.key] = tracked.sequence

    def was_removed(self, key: ObjectKey, sequence: int) -> bool:
        """Whether the order that is delivered now was carried out before, or one after it."""
        grave = self._graves.get(key)
        known = self._removed.pop(key, 0)
        return max(known, grave.tombstone.sequence if grave is not None else 0) >= sequence

    def of_kind(self, kind: ResourceType) -> Iterator[TrackedObject]:
        for tracked in list(self._by_key.values()):
            if tracked.kind == kind:
                yield tracked

    def __iter__(self) -> Iterator[TrackedObject]:
        return iter(list(self._by_key.values()))

    def __len__(self) -> int:
        return len(self._by_key)
