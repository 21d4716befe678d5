"""Who needs what: edges between objects, drawn from what they say and how they point at others.

They lead from templates to what they refer to, from workloads to the Services that select their
pods, and from Services to the Ingresses that lead to them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from services.scheduler.core.dependencies.dependents import (
    NONE,
    Identity,
    Users,
    identity_of,
    referred,
)
from services.scheduler.core.dependencies.pointing import Labels, Services, Workloads
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import section
from shared.errors import InvalidObject
from shared.interpreter.dependencies import without_optional
from shared.interpreter.registry import InterpreterSource

SERVICE = ("", "Service")
_NONE_READ = -1


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read of a template in one version; `trouble`: why its needs could not be."""

    version: int
    held: tuple[Manifest, ...]
    needs: frozenset[Identity]
    labels: tuple[Labels, ...]
    trouble: str = ""


class Edges:
    """Drawn for what is placed; Services and Ingresses are noted whether they are or not."""

    def __init__(self, interpreters: InterpreterSource) -> None:
        self._interpreters = interpreters
        self._users = Users()
        # Service -> the Ingresses that lead to it.
        self._leading = Users()
        self._workloads = Workloads()
        self._services = Services()
        # For as long as the template is the same.
        self._read: dict[Identity, _Reading] = {}

    # Asking.

    def users_of(self, needed: Identity) -> frozenset[Identity]:
        return self._users.of(needed)

    def users(self) -> list[Identity]:
        return self._users.all()

    def needs(self, user: Identity) -> frozenset[Identity]:
        return self._users.needs(user)

    def below(self, user: Identity) -> set[Identity]:
        """Return what *user* needs, and what that needs, and so on."""
        return self._users.below(user)

    def trouble(self, user: Identity) -> str:
        """Return why it cannot be told what *user* needs; empty where it can."""
        reading = self._read.get(user)
        return reading.trouble if reading is not None else ""

    def insisted(self, user: Identity, manifest: Manifest) -> frozenset[Identity]:
        """Return what *manifest*, the template of *user*, names and cannot run without."""
        named = set(self._referred(without_optional(manifest)))
        return frozenset(named) & self._users.needs(user)

    # Drawing: each returns what *user* has come to need, or needs no more.

    def draw(
        self,
        user: Identity,
        version: int,
        words: Callable[[], Manifest],
        held: tuple[Manifest, ...] = (),
    ) -> frozenset[Identity]:
        """What cannot be read keeps the edges it has: an error is not nothing.

        *words* are asked for in a *version* that has not been read; they are not kept.
        *held* are other words of the same template, which clusters hold as yet: what they refer to
        is needed too. A tuple that is the same holds the same.
        """
        reading = self._read.get(user)
        if reading is None or reading.version != version or reading.held is not held:
            reading = self._read[user] = self._reading(user, version, words(), held)
        needs = set(reading.needs)
        if reading.labels:
            self._workloads.put(user, reading.labels)
            needs |= self._services.selecting(user, reading.labels)
        if user[:2] == SERVICE:
            needs |= self._leading.of(user)
        return self._users.put(user, needs)

    def erase(self, user: Identity) -> frozenset[Identity]:
        self._workloads.put(user, ())
        self._read.pop(user, None)
        return self._users.put(user, ())

    def read_again(self, user: Identity) -> None:
        """Another interpreter speaks for *user*: what was read of it holds no more."""
        if (reading := self._read.get(user)) is not None:
            self._read[user] = replace(reading, version=_NONE_READ)

    # Noting: each returns the users whose edges have to be drawn anew.

    def note_service(self, manifest: Manifest, *, gone: bool) -> Iterable[Identity]:
        service = identity_of(manifest)
        selector = {} if gone else section(manifest, "spec", "selector")
        before = self._services.put(service, selector)
        if before == selector:
            return ()
        selected = self._workloads.selected
        return selected(service, before) | selected(service, selector)

    def note_ingress(self, manifest: Manifest, *, gone: bool) -> Iterable[Identity]:
        needs = () if gone else self._referred(manifest)
        services = (one for one in needs if one[:2] == SERVICE)
        return self._leading.put(identity_of(manifest), services)

    def _reading(
        self, user: Identity, version: int, manifest: Manifest, held: tuple[Manifest, ...]
    ) -> _Reading:
        interpreter = self._interpreters.of(manifest)
        needs, labels, trouble = self._users.needs(user), list[Labels](), ""
        try:
            found = [
                referred(one)
                for words in (manifest, *held)
                for one in interpreter.dependencies(words)
            ]
            needs = frozenset(found) if found else NONE
        except InvalidObject as err:
            trouble = str(err)
        for words in (manifest, *held):
            labels += (one for one in interpreter.pod_labels(words) if one not in labels)
        return _Reading(version, held, needs, tuple(labels), trouble)

    def _referred(self, manifest: Manifest) -> Iterable[Identity]:
        try:
            return [referred(one) for one in self._interpreters.of(manifest).dependencies(manifest)]
        except InvalidObject:
            return ()
