"""`hanse explain KIND/NAME`: where it runs and why, where it does not and why not."""

import argparse
import sys

import msgspec
import uvloop

from hanse.explaining_text import as_text
from hanse.kind_names import find_kind
from shared.api.meta import API_VERSION
from shared.apimachinery.manifest import GroupVersionKind
from shared.errors import HanseError
from shared.events.explaining import ExplainRequest, Explanation
from shared.memberapi.credentials import read_kubeconfig
from shared.memberapi.http import open_member
from shared.memberapi.port import ResourceType
from shared.telemetry.setup import configure_logs

_EXPLANATIONS = ResourceType(
    GroupVersionKind.parse(API_VERSION, "Explanation"), "explanations", namespaced=False
)


def run(options: argparse.Namespace) -> int:
    """Return 0 where it has a place."""
    configure_logs("hanse", "error")
    try:
        found = uvloop.run(_explain(options))
    except (HanseError, OSError) as err:
        sys.stderr.write(f"{err}\n")
        return 1
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        sys.stdout.write(as_text(found))
    return 0 if found.scheduled else 1


async def _explain(options: argparse.Namespace) -> Explanation:
    kind_word, _, name = options.object.partition("/")
    access = read_kubeconfig(options.kubeconfig.expanduser(), options.context)
    async with open_member(access, name="hub") as hub:
        kind = await find_kind(hub, kind_word)
        asked = ExplainRequest(
            api_version=kind.gvk.api_version,
            kind=kind.gvk.kind,
            resource=kind.resource,
            namespace=options.namespace if kind.namespaced else "",
            name=name,
            at=options.at,
        )
        answer = await hub.create(_EXPLANATIONS, "", msgspec.to_builtins(asked))
        return msgspec.convert(answer, Explanation)
