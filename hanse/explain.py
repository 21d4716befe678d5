"""`hanse explain KIND/NAME`: where it runs and why, where it does not and why not."""

import argparse

from hanse.asking import answered, ask_by, show
from hanse.explaining_text import as_text
from hanse.kind_names import find_kind
from shared.api.meta import API_VERSION
from shared.apimachinery.manifest import GroupVersionKind
from shared.events.explaining import ExplainRequest, Explanation
from shared.memberapi.port import MemberApi, ResourceType

_EXPLANATIONS = ResourceType(
    GroupVersionKind.parse(API_VERSION, "Explanation"), "explanations", namespaced=False
)


def run(options: argparse.Namespace) -> int:
    """Return 0 where it has a place."""
    found = ask_by(options, lambda hub: _explain(hub, options))
    if found is None:
        return 1
    show(found, options, as_text)
    return 0 if found.scheduled else 1


async def _explain(hub: MemberApi, options: argparse.Namespace) -> Explanation:
    kind_word, _, name = options.object.partition("/")
    kind = await find_kind(hub, kind_word)
    asked = ExplainRequest(
        api_version=kind.gvk.api_version,
        kind=kind.gvk.kind,
        resource=kind.resource,
        namespace=options.namespace if kind.namespaced else "",
        name=name,
        at=options.at,
    )
    return await answered(hub, _EXPLANATIONS, asked, Explanation)
