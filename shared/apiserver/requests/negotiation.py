"""Which form of an answer a client accepts, and which form its body has. Pure.

Besides plain objects there are `Table` (what `kubectl get` prints) and `PartialObjectMetadata`
(metadata only). Either is served as JSON or YAML, never as protobuf: clients list JSON as an
alternative.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from enum import StrEnum

from shared.apimachinery.short_cache import cached_when_short
from shared.apiserver.status_errors import ApiFault

JSON = "application/json"
YAML = "application/yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


META_VERSION = "meta.k8s.io/v1"


class Form(StrEnum):
    OBJECT = "object"
    TABLE = "Table"
    METADATA = "PartialObjectMetadata"
    METADATA_LIST = "PartialObjectMetadataList"


_SERVED = {JSON: JSON, "*/*": JSON, "application/*": JSON, "": JSON, YAML: YAML}
_FORMS = {
    "Table": Form.TABLE,
    "PartialObjectMetadata": Form.METADATA,
    "PartialObjectMetadataList": Form.METADATA_LIST,
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """The answer that a client prefers: `media` is JSON or YAML."""

    form: Form
    media: str = JSON
    pretty: bool = False
    """Indented for people to read."""

    version: str = META_VERSION
    """Of tables and metadata: older clients ask for the beta."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One alternative of an Accept header."""

    media: str
    parameters: Mapping[str, str]


@cached_when_short(512)
def clauses(accept: str) -> tuple[Clause, ...]:
    """The alternatives of an Accept header, the preferred ones (RFC 9110, `q`) first."""
    found = []
    for choice in accept.split(","):
        media, *rest = (part.strip() for part in choice.split(";"))
        parameters = dict(part.partition("=")[::2] for part in rest)
        found.append(Clause(media.lower(), parameters))
    return tuple(sorted(found, key=_weight, reverse=True))


def _weight(clause: Clause) -> float:
    try:
        return float(clause.parameters.get("q", "1"))
    except ValueError:
        return 1.0


@cached_when_short(512)
def accepted(accept: str) -> Accepted:
    """The first alternative of the Accept header that is served; raises `ApiFault` 406."""
    return _first_of(accept, frozenset(Form))


@cached_when_short(512)
def accepted_but_tables(accept: str) -> Accepted:
    """The same for what has no rows to be printed."""
    return _first_of(accept, frozenset(Form) - {Form.TABLE})


def _first_of(accept: str, forms: Container[Form | None]) -> Accepted:
    for clause in clauses(accept):
        media = _SERVED.get(clause.media)
        if media is None:
            continue
        parameters = clause.parameters
        form = _form(parameters)
        if form is not None and form in forms:
            beta = parameters.get("v") == "v1beta1"
            version = "meta.k8s.io/v1beta1" if beta else META_VERSION
            return Accepted(form, media, parameters.get("pretty") == "1", version)
    raise not_acceptable(JSON, YAML)


def not_acceptable(*media: str) -> ApiFault:
    """A client that reads none of *media*, which are all there is."""
    return ApiFault(406, f"only the following media types are accepted: {', '.join(media)}")


def _form(parameters: Mapping[str, str]) -> Form | None:
    wanted = [parameters.get(name, "") for name in ("as", "g", "v")]
    if not any(wanted):
        return Form.OBJECT
    name, group, version = wanted
    known = group == "meta.k8s.io" and version in ("v1", "v1beta1")
    return _FORMS.get(name) if known else None


@cached_when_short(512)
def media_type(content_type: str) -> str:
    """The type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def unsupported_media_type(supported: tuple[str, ...]) -> ApiFault:
    return ApiFault(
        415,
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(supported)}",
    )
