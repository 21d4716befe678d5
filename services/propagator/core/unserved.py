"""A refusal that comes of a kind which the member does not serve, in words (pure)."""

from shared.api.binding import is_built_in
from shared.errors import MemberRefused
from shared.memberapi.port import ResourceType

NO_KIND_MATCH = "NoKindMatch"
"""Reason of a report, after the name that Kubernetes' clients have for it."""

_NOT_FOUND = 404
_NO_STATUS = "HTTP404"
_NO_RESOURCE = "the server could not find the requested resource"


def in_words(err: MemberRefused, kind: ResourceType, cluster: str) -> MemberRefused:
    """*err*; where it only says that nothing is at the path, which *kind* and member are meant.

    A group that is not served is answered in plain text, a resource of one that is with a Status.
    """
    pathless = err.reason == _NO_STATUS or str(err).startswith(_NO_RESOURCE)
    if err.status != _NOT_FOUND or not pathless:
        return err
    gvk = kind.gvk
    name = f"{kind.resource}.{gvk.group}" if gvk.group else kind.resource
    remedy = (
        "its version of Kubernetes has no such kind"
        if is_built_in(gvk.group)
        else "the CustomResourceDefinition was removed there or never came, and what is of its "
        "kind waits for it"
    )
    return MemberRefused(
        f"member {cluster} does not serve {gvk.kind} of {gvk.api_version} ({name}): {remedy}",
        reason=NO_KIND_MATCH,
        status=err.status,
    )
