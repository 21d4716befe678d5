"""What Hanse asks of a member's API server; `http.py` keeps the promise for real ones.

Every call has a deadline. Answers are values where the caller decides (`None`: not there); errors
are `MemberUnreachable`, `MemberThrottled` (both retryable) and `MemberRefused` (terminal, with
the HTTP status and Kubernetes' reason).
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from shared.apimachinery.manifest import GroupVersionKind, Manifest, decode


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A kind as the member serves it: enough to build any URL."""

    gvk: GroupVersionKind
    resource: str
    namespaced: bool

    def path(self, namespace: str = "", name: str = "") -> str:
        """`/apis/apps/v1/namespaces/shop/deployments/web`; no namespace is the whole cluster."""
        prefix = f"/apis/{self.gvk.group}" if self.gvk.group else "/api"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{prefix}/{self.gvk.version}{scope}/{self.resource}" + (f"/{name}" if name else "")


@dataclass(frozen=True, slots=True)
class MemberEvent:
    """One line of a watch. BOOKMARK carries only a resourceVersion.

    `body` is the object as it came: most events tell nothing new, which shows in a few bytes.
    """

    type: str
    body: bytes

    @property
    def manifest(self) -> Manifest:
        """Decoded anew at each call."""
        return decode(self.body)


@dataclass(frozen=True, slots=True)
class MemberListing:
    items: tuple[Manifest, ...]
    resource_version: str


class MemberApi(Protocol):
    """One member; implementations bound concurrency, time and memory per member."""

    async def discover(self) -> list[ResourceType]:
        """Every resource that can be listed there, in every version, the preferred first."""
        ...

    async def apply(
        self, kind: ResourceType, namespace: str, name: str, body: bytes, *, force: bool = True
    ) -> Manifest:
        """Server-side apply as field manager `hanse`; returns the object, at least its metadata."""
        ...

    async def apply_encoded(
        self,
        kind: ResourceType,
        namespace: str,
        name: str,
        body: bytes,
        *,
        force: bool = True,
        manager: str = "hanse",
        dry_run: bool = False,
    ) -> bytes:
        """As `apply`, as any *manager*; returns the object as the member encoded it.

        With *dry_run* nothing is stored: the answer is what the object would be.
        """
        ...

    async def get(self, kind: ResourceType, namespace: str, name: str) -> Manifest | None: ...

    async def delete(
        self, kind: ResourceType, namespace: str, name: str, *, uid: str, propagation: str
    ) -> bool:
        """Delete the object of that uid (precondition); False when it is not there."""
        ...

    async def merge(
        self,
        kind: ResourceType,
        namespace: str,
        name: str,
        patch: Manifest,
        *,
        manager: str = "hanse",
        subresource: str = "",
    ) -> bool:
        """JSON merge patch (RFC 7386); False when the object is not there."""
        ...

    async def list(
        self, kind: ResourceType, *, label_selector: str = "", namespace: str = ""
    ) -> MemberListing: ...

    def watch(
        self,
        kind: ResourceType,
        *,
        resource_version: str,
        label_selector: str = "",
        namespace: str = "",
    ) -> AbstractAsyncContextManager[AsyncIterator[MemberEvent]]:
        """Changes after *resource_version*; ends when the server ends it.

        A 410 answer, at the start or within, raises MemberRefused with status 410.
        """
        ...

    async def read(self, path: str, *, deadline_seconds: float) -> bytes:
        """GET of a plain path such as `/readyz` or `/version`; raises as every call."""
        ...

    async def create(self, kind: ResourceType, namespace: str, manifest: Manifest) -> Manifest:
        """POST; for reviews (SelfSubjectAccessReview) and the like."""
        ...

    async def put(self, path: str, body: bytes) -> bytes:
        """PUT of JSON to a plain path, such as a subresource; returns the answer's body."""
        ...
