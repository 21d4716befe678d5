"""Services and slices in members, as their users and controllers would make them, and see them."""

import asyncio
from collections.abc import Sequence
from time import perf_counter

from shared.api.multicluster import SERVICE_NAME_LABEL
from shared.apimachinery.manifest import GroupVersionKind, Manifest, encode
from shared.memberapi.port import MemberApi, ResourceType

NAMESPACE = "traffic"
SERVICES = ResourceType(GroupVersionKind("", "v1", "Service"), "services", namespaced=True)
SLICES = ResourceType(
    GroupVersionKind("discovery.k8s.io", "v1", "EndpointSlice"), "endpointslices", namespaced=True
)
IMPORTS = ResourceType(
    GroupVersionKind("multicluster.x-k8s.io", "v1beta1", "ServiceImport"),
    "serviceimports",
    namespaced=True,
)
NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
SLICE_ENDPOINTS = 100
"""As many as Kubernetes puts into one slice."""
_LOOK_SECONDS = 0.1


async def put(member: MemberApi, kind: ResourceType, manifest: Manifest) -> None:
    metadata = manifest["metadata"]
    await member.apply_encoded(
        kind, metadata.get("namespace", ""), metadata["name"], encode(manifest), manager="bench"
    )


def manifest_of(api_version: str, kind: str, name: str, namespace: str = NAMESPACE) -> Manifest:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}


def export_of(name: str) -> Manifest:
    return manifest_of("multicluster.x-k8s.io/v1beta1", "ServiceExport", name)


def service_of(name: str) -> Manifest:
    port = {"name": "http", "port": 80, "protocol": "TCP"}
    return {**manifest_of("v1", "Service", name), "spec": {"ports": [port]}}


def slice_of(service: str, name: str, addresses: Sequence[str]) -> Manifest:
    found = manifest_of("discovery.k8s.io/v1", "EndpointSlice", name)
    found["metadata"]["labels"] = {"kubernetes.io/service-name": service}
    port = {"name": "http", "port": 8080, "protocol": "TCP"}
    endpoints = [{"addresses": [one], "conditions": {"ready": True}} for one in addresses]
    return {**found, "addressType": "IPv4", "ports": [port], "endpoints": endpoints}


def slices_of(service: str, part: int, count: int) -> list[Manifest]:
    """*count* endpoints in as few slices as Kubernetes would make; *part* tells members apart."""
    addresses = [address(part, number) for number in range(count)]
    return [
        slice_of(service, f"{service}-{start}", addresses[start : start + SLICE_ENDPOINTS])
        for start in range(0, count, SLICE_ENDPOINTS)
    ]


def address(part: int, number: int) -> str:
    return f"10.{200 + part}.{number // 250}.{number % 250 + 1}"


async def seen(member: MemberApi, service: str, wanted: str, ready: asyncio.Event) -> float:
    """When *member* shows the address *wanted* among the imported; *ready* once it watches."""
    selector = f"{SERVICE_NAME_LABEL}={service}"
    listing = await member.list(SLICES, namespace=NAMESPACE, label_selector=selector)
    watch = member.watch(SLICES, resource_version=listing.resource_version, label_selector=selector)
    text = f'"{wanted}"'.encode()
    async with watch as events:
        ready.set()
        async for event in events:
            if text in event.body:
                return perf_counter()
    raise TimeoutError(f"the watch ended before {wanted} came")


async def until_imported(members: Sequence[MemberApi], service: str, wanted: str) -> None:
    for member in members:
        while wanted not in await _addresses(member, service):
            await asyncio.sleep(_LOOK_SECONDS)


async def until_slices(member: MemberApi, more: int, ready: asyncio.Event) -> None:
    """Wait until *member* has *more* slices of imported services; *ready* once it watches."""
    total: int | None = None
    while True:
        listing = await member.list(SLICES, namespace=NAMESPACE, label_selector=SERVICE_NAME_LABEL)
        total = len(listing.items) + more if total is None else total
        left, version = total - len(listing.items), listing.resource_version
        if not left:
            return
        watch = member.watch(SLICES, resource_version=version, label_selector=SERVICE_NAME_LABEL)
        # A server ends every watch after some minutes.
        async with watch as events:
            ready.set()
            async for event in events:
                left -= event.type == "ADDED"
                if not left:
                    return


async def _addresses(member: MemberApi, service: str) -> set[str]:
    selector = f"{SERVICE_NAME_LABEL}={service}"
    listing = await member.list(SLICES, namespace=NAMESPACE, label_selector=selector)
    return {
        one
        for item in listing.items
        for endpoint in item.get("endpoints") or ()
        for one in endpoint["addresses"]
    }
