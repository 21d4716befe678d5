"""What one follower holds, and every way in which what it is told cannot be true.

Each object counts its own writes in `data.n`. While a watch goes on, a change must be the next one
of its object; after a new list an object may have moved on, and never back.
"""

from dataclasses import dataclass
from typing import Any


class Expired(Exception):
    """The server says that the version is gone (410): list again."""


@dataclass(frozen=True, slots=True)
class Held:
    uid: str
    version: int
    number: int


def read(manifest: Any) -> tuple[str, Held]:
    metadata = manifest["metadata"]
    version = int(metadata["resourceVersion"])
    return metadata["name"], Held(metadata["uid"], version, int(manifest["data"]["n"]))


class Book:
    """The objects of one follower."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.held: dict[str, Held] = {}
        self.version: int | None = None
        """Up to here everything is known; None: list first."""

        self.wrong: list[str] = []
        self.lists = self.events = 0

    def replace(self, manifests: list[Any], version: int) -> None:
        """Take a whole list."""
        self.lists += 1
        fresh = dict(read(one) for one in manifests)
        for name, held in fresh.items():
            before = self.held.get(name)
            if before is not None and before.version > held.version:
                self._fault(f"{name} went back from {before} to {held}")
        if len(fresh) != len(manifests):
            self._fault("a list has an object twice")
        self.held, self.version = fresh, version

    def take(self, event: Any) -> None:
        """Take one event of a watch; raises `Expired`."""
        kind, manifest = event["type"], event["object"]
        if kind == "ERROR":
            if manifest["code"] == 410:
                raise Expired
            raise ConnectionError(f"the watch failed: {manifest}")
        version = int(manifest["metadata"]["resourceVersion"])
        if kind == "BOOKMARK":
            if self.version is not None and version < self.version:
                self._fault(f"a bookmark at {version} after {self.version}")
            self.version = version
            return
        self.events += 1
        if self.version is not None and version <= self.version:
            self._fault(f"{kind} at {version} after {self.version}: told twice or out of order")
        self.version = version
        name, held = read(manifest)
        before = self.held.get(name)
        match kind, before:
            case "ADDED", None:
                self.held[name] = held
            case "MODIFIED", Held() if (before.uid, before.number + 1) == (held.uid, held.number):
                self.held[name] = held
            case "DELETED", Held() if before.uid == held.uid:
                del self.held[name]
            case _:
                self._fault(f"{kind} {name} {held} over {before}")
                self.held[name] = held

    def _fault(self, what: str) -> None:
        self.wrong.append(f"{self.name}: {what}")
