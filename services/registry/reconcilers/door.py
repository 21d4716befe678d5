"""What other systems may ask of the hub, carried out by the same verbs as the gateway's.

A request names a kind by apiVersion and kind, as a manifest does, not by a path. Whoever reaches
this door has been let in by NATS: its credentials say who may publish and request here.
"""

from dataclasses import dataclass

from shared.apimachinery.manifest import (
    DEPTH_MAX,
    GroupVersionKind,
    Manifest,
    is_too_deep,
    name_of,
    namespace_of,
)
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.requests.list_options import ListOptions
from shared.apiserver.requests.negotiation import APPLY_PATCH
from shared.apiserver.requests.target import DeleteOptions, WriteOptions
from shared.apiserver.serving import Call, Outcome, Serving
from shared.apiserver.status_errors import ApiFault, bad_request
from shared.apiserver.verbs.delete import Deletion, delete
from shared.apiserver.verbs.listing import Page, get_object, list_objects
from shared.apiserver.verbs.paging import Snapshots
from shared.apiserver.verbs.patch import patch
from shared.apiserver.verbs.scale import paths_of, scale_of, write_scale
from shared.events.commands import ObjectAddress
from shared.store.port import Stored

_MANAGER_CHARACTERS_MAX = 128


def manager_of(source: str) -> str:
    """Return the field manager of a system by its `ce-source`: each owns what it applied."""
    printable = "".join(letter for letter in source if letter.isprintable())
    return printable[:_MANAGER_CHARACTERS_MAX] or "hanse-commands"


@dataclass(frozen=True, slots=True)
class Door:
    """The verbs by kind; every method raises `ApiFault` and Hanse's errors."""

    serving: Serving
    snapshots: Snapshots

    async def apply(self, manifest: Manifest, options: WriteOptions) -> Outcome:
        """Server-side apply; the object is created where it does not exist."""
        if is_too_deep(manifest):
            raise bad_request(f"the manifest is nested deeper than {DEPTH_MAX}")
        gvk = GroupVersionKind.of(manifest)
        if not gvk.kind or not manifest.get("apiVersion"):
            raise bad_request("Object 'Kind' or 'apiVersion' is missing in the manifest")
        if not isinstance(manifest.get("metadata"), dict) or not name_of(manifest):
            raise bad_request("metadata.name is missing in the manifest")
        call = self._call(gvk, namespace_of(manifest), name_of(manifest), options)
        return await patch(self.serving, call, manifest, APPLY_PATCH)

    async def delete(self, address: ObjectAddress, options: DeleteOptions) -> Deletion:
        call = self._call(address.gvk, address.namespace, address.name, WriteOptions())
        return await delete(self.serving, call, options)

    async def scale(self, address: ObjectAddress, replicas: int, options: WriteOptions) -> Manifest:
        """Return the new `autoscaling/v1 Scale`."""
        call = self._call(address.gvk, address.namespace, address.name, options)
        written = await write_scale(
            self.serving, call, lambda scale: {**scale, "spec": {"replicas": replicas}}
        )
        return scale_of(paths_of(call), written.manifest)

    async def get(self, address: ObjectAddress) -> Stored:
        call = self._call(address.gvk, address.namespace, address.name, WriteOptions())
        return await get_object(self.serving, call)

    async def list(self, gvk: GroupVersionKind, namespace: str, options: ListOptions) -> Page:
        """List a namespace, or with "" all of them."""
        call = Call(self._kind(gvk), namespace)
        return await list_objects(self.serving, self.snapshots, call, options)

    def _kind(self, gvk: GroupVersionKind) -> ResourceKind:
        kind = self.serving.kinds.by_kind(gvk)
        if kind is None:
            raise ApiFault(
                404, f'no matches for kind "{gvk.kind[:80]}" in version "{gvk.api_version[:80]}"'
            )
        return kind

    def _call(
        self, gvk: GroupVersionKind, namespace: str, name: str, options: WriteOptions
    ) -> Call:
        if not name:
            raise bad_request("the name of the object is missing")
        kind = self._kind(gvk)
        if namespace and not kind.namespaced:
            raise bad_request(f"{gvk.kind} is not namespaced")
        where = (namespace or "default") if kind.namespaced else ""
        return Call(kind, where, name, options=options)
