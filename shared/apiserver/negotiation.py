"""Which form of an answer a client accepts, and which form its body has. Pure.

Besides plain objects there are `Table` (what `kubectl get` prints) and `PartialObjectMetadata`
(metadata only). Protobuf is never served; clients list JSON as an alternative.
"""

from enum import StrEnum
from functools import lru_cache

from shared.apiserver.status_errors import ApiFault

JSON = "application/json"
YAML = "application/yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


class Form(StrEnum):
    OBJECT = "object"
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"


_PLAIN_TYPES = (JSON, "*/*", "application/*", "")
_FORMS = {
    "Table": Form.TABLE,
    "PartialObjectMetadata": Form.METADATA,
    "PartialObjectMetadataList": Form.METADATA,
}


@lru_cache(maxsize=512)
def accepted_form(accept: str) -> Form:
    """The first form of the Accept header that is served; raises `ApiFault` 406."""
    for choice in accept.split(","):
        media, *rest = (part.strip() for part in choice.split(";"))
        if media not in _PLAIN_TYPES:
            continue
        parameters = dict(part.partition("=")[::2] for part in rest)
        wanted = parameters.get("as")
        if wanted is None:
            return Form.OBJECT
        known = parameters.get("g") == "meta.k8s.io" and parameters.get("v") in ("v1", "v1beta1")
        if known and wanted in _FORMS:
            return _FORMS[wanted]
    raise ApiFault(406, f"only the following media types are accepted: {JSON}")


@lru_cache(maxsize=512)
def media_type(content_type: str) -> str:
    """The type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def unsupported_media_type(supported: tuple[str, ...]) -> ApiFault:
    return ApiFault(
        415,
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(supported)}",
    )
