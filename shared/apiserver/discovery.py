"""Discovery: which groups, versions, kinds and subresources are served.

Two dialects of the same facts: one document per group/version, and the aggregated one (all in two
answers, KEP-3352), which a client asks for by the Accept header. Each document is made
on first use and kept until the registry changes; an ETag saves sending it again.
"""

import hashlib
from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from shared.apimachinery.manifest import Manifest, encode
from shared.apiserver.answers.responses import status_response
from shared.apiserver.kinds import ResourceKind
from shared.apiserver.registry import Registry
from shared.apiserver.requests.documents import Document, Documents
from shared.apiserver.status_errors import PageNotFound, unknown_path
from shared.apiserver.versions.conversion import conversion_of

_JSON = "application/json"
_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
_AGGREGATED_VERSIONS = ("v2", "v2beta1")
_HASH_BYTES = 8
_VERBS_OF_SUBRESOURCE = ["get", "patch", "update"]
_SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}


def routes(registry: Registry) -> list[web.RouteDef]:
    """Return the routes of discovery; they follow *registry* as it changes."""
    served = _Discovery(registry)
    return [
        web.get("/api", served.core_versions),
        web.get("/api/", served.core_versions),
        web.get("/apis", served.group_list),
        web.get("/apis/", served.group_list),
        web.get("/api/{version}", served.resource_list),
        web.get("/api/{version}/", served.resource_list),
        web.get("/apis/{group}", served.group),
        web.get("/apis/{group}/", served.group),
        web.get("/apis/{group}/{version}", served.resource_list),
        web.get("/apis/{group}/{version}/", served.resource_list),
        web.get("/", served.paths),
    ]


class _Discovery:
    """The handlers and the documents they share."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._documents = Documents(registry)

    async def paths(self, request: web.Request) -> web.Response:
        return self._answer(request, ("paths",), lambda: {"paths": known_paths(self._registry)})

    async def core_versions(self, request: web.Request) -> web.Response:
        return self._listing(request, core=True)

    async def group_list(self, request: web.Request) -> web.Response:
        return self._listing(request, core=False)

    async def group(self, request: web.Request) -> web.Response:
        group = request.match_info["group"]
        if not group or not self._registry.versions(group):
            return status_response(PageNotFound())
        return self._answer(
            request, ("group", group), lambda: {"apiVersion": "v1", **_group(self._registry, group)}
        )

    async def resource_list(self, request: web.Request) -> web.Response:
        group, version = request.match_info.get("group", ""), request.match_info["version"]
        versions = self._registry.versions(group)
        if version not in versions:
            return status_response(unknown_path() if versions else PageNotFound())
        return self._answer(
            request,
            ("resources", group, version),
            lambda: resource_list(self._registry, group, version),
        )

    def _listing(self, request: web.Request, *, core: bool) -> web.Response:
        version = _aggregated_version(request.headers.get("Accept", ""))
        if version is None:
            build = api_versions if core else lambda: group_list(self._registry)
            return self._answer(request, ("listing", core), build)
        return self._answer(
            request,
            ("aggregated", core, version),
            lambda: aggregated(self._registry, version, core=core),
            media=_AGGREGATED.format(version=version),
        )

    def _answer(
        self,
        request: web.Request,
        name: tuple[Any, ...],
        build: Callable[[], Manifest],
        *,
        media: str = _JSON,
    ) -> web.Response:
        document = self._documents.get(name, lambda: Document(encode(build()), media))
        response = document.response(request)
        response.headers["Vary"] = "Accept"
        return response


def _aggregated_version(accept: str) -> str | None:
    """Return the version of the aggregated form that *accept* prefers; None for plain JSON."""
    for choice in accept.split(","):
        media, *rest = (part.strip() for part in choice.split(";"))
        if media != _JSON:
            continue
        parameters = dict(part.partition("=")[::2] for part in rest)
        if parameters.get("as") == "APIGroupDiscoveryList":
            if parameters.get("v") in _AGGREGATED_VERSIONS:
                return parameters["v"]
            continue
        return None
    return None


_OTHER_PATHS = (
    "/healthz",
    "/livez",
    "/metrics",
    "/openapi/v2",
    "/openapi/v3",
    "/readyz",
    "/version",
)


def known_paths(registry: Registry) -> list[str]:
    """Return the answer to `/`: where one may look further."""
    found = {"/api", "/apis", "/apis/", *_OTHER_PATHS}
    for group in registry.groups():
        root = f"/apis/{group}" if group else "/api"
        found |= {root, *(f"{root}/{version}" for version in registry.versions(group))}
    return sorted(found)


def api_versions() -> Manifest:
    """Return the answer to `/api`: the core group has one version, for ever."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list(registry: Registry) -> Manifest:
    """Return the answer to `/apis`: every group but the core one."""
    groups = []
    for group in registry.groups():
        if group:
            described = _group(registry, group)
            del described["kind"]
            groups.append(described)
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _group(registry: Registry, group: str) -> Manifest:
    versions = [
        {"groupVersion": f"{group}/{version}", "version": version}
        for version in registry.versions(group)
    ]
    return {
        "kind": "APIGroup",
        "name": group,
        "versions": versions,
        "preferredVersion": versions[0],
    }


def resource_list(registry: Registry, group: str, version: str) -> Manifest:
    """Return the answer to `/apis/<group>/<version>`: its kinds and their subresources."""
    resources: list[Manifest] = []
    for kind in registry.kinds_of(group, version):
        resources.append(_resource(registry, kind))
        resources += _subresources(kind)
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": resources,
    }


def _resource(registry: Registry, kind: ResourceKind) -> Manifest:
    found: Manifest = {
        "name": kind.resource,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.gvk.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    if "get" in kind.verbs:
        found["storageVersionHash"] = _storage_hash(registry, kind)
    return found


def _storage_hash(registry: Registry, kind: ResourceKind) -> str:
    """Tell migrators of storage, and only them, in which version objects are kept.

    Upstream says of it that clients compare it, no more; it is made as upstream makes it.
    """
    preferred = registry.preferred(kind.group_resource) or kind
    group, version = kind.gvk.group, kind.stored_version or preferred.gvk.version
    conversion = conversion_of(kind.gvk)
    if conversion is not None and conversion.stored_as is not None:
        group = conversion.stored_as.group
    digest = hashlib.sha256(f"{group}/{version}/{kind.gvk.kind}".encode()).digest()
    return b64encode(digest[:_HASH_BYTES]).decode()


def _subresources(kind: ResourceKind) -> Iterable[Manifest]:
    for part, verbs in _parts(kind):
        found = {"name": f"{kind.resource}/{part}", "singularName": "", "verbs": verbs}
        answer = _SCALE if part == "scale" else {"kind": kind.gvk.kind}
        yield {**found, "namespaced": kind.namespaced, **answer}


def _parts(kind: ResourceKind) -> Iterable[tuple[str, list[str]]]:
    """Return the subresources of *kind* in order, with their verbs."""
    found = {part: list(verbs) for part, verbs in kind.parts.items()}
    if kind.scale is not None:
        found["scale"] = _VERBS_OF_SUBRESOURCE
    if kind.has_status:
        found["status"] = _VERBS_OF_SUBRESOURCE
    return sorted(found.items())


def aggregated(registry: Registry, version: str, *, core: bool) -> Manifest:
    """Return the core group, or all others, with their kinds, as `APIGroupDiscoveryList`."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": [
            _aggregated_group(registry, group)
            for group in registry.groups()
            if (group == "") == core
        ],
    }


def _aggregated_group(registry: Registry, group: str) -> Manifest:
    versions = [
        {
            "version": version,
            "resources": [_aggregated_kind(kind) for kind in registry.kinds_of(group, version)],
            "freshness": "Current",
        }
        for version in registry.versions(group)
    ]
    return {"metadata": {"name": group} if group else {}, "versions": versions}


def _aggregated_kind(kind: ResourceKind) -> Manifest:
    response_kind = kind.gvk._asdict()
    found: Manifest = {
        "resource": kind.resource,
        "responseKind": response_kind,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    subresources = [
        {
            "subresource": part,
            "responseKind": _SCALE if part == "scale" else response_kind,
            "verbs": verbs,
        }
        for part, verbs in _parts(kind)
    ]
    if subresources:
        found["subresources"] = subresources
    return found
