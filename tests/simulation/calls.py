"""A request to an API server's verbs about the object of a manifest."""

from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.apiserver.requests.target import WriteOptions
from shared.apiserver.serving import Call, Serving
from shared.apiserver.status_errors import ApiFault


def call_on(
    serving: Serving,
    manifest: Manifest,
    options: WriteOptions | None = None,
    subresource: str = "",
) -> Call:
    kind = serving.kinds.by_kind(GroupVersionKind.of(manifest))
    if kind is None:
        raise ApiFault(404, f"no kind {manifest['kind']}")
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace", "") if kind.namespaced else ""
    return Call(kind, namespace, metadata["name"], subresource, options or WriteOptions())
