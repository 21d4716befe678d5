"""`hanse explain KIND/NAME`: where it runs and why, where it does not and why not."""

import argparse

import msgspec

from hanse.asking import answered, ask_by, show
from hanse.commands.options import Subcommands, add_json, add_object
from hanse.kind_names import find_kind
from hanse.questions import EXPLANATIONS, TRAFFIC_EXPLANATIONS
from hanse.texts.explanation import as_text
from shared.errors import MemberRefused, RetryableError
from shared.events.explaining import ExplainRequest, Explanation
from shared.events.traffic import TrafficExplanations, TrafficRequest
from shared.memberapi.port import MemberApi

_NOT_FOUND = 404


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("explain", help="show why something is where it is")
    add_object(parser)
    parser.add_argument(
        "--at", default="", metavar="TIME", help="the decision that stood then, RFC 3339"
    )
    add_json(parser)
    parser.set_defaults(run=run)


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
    if (kind.gvk.group, kind.gvk.kind) != ("", "Service") or options.at:
        return await answered(hub, EXPLANATIONS, asked, Explanation)
    return await _explain_service(hub, asked)


async def _explain_service(hub: MemberApi, asked: ExplainRequest) -> Explanation:
    """How its traffic is shared, too; also of a Service that members have by themselves."""
    wanted = TrafficRequest(namespace=asked.namespace, service=asked.name)
    try:
        shared = await answered(hub, TRAFFIC_EXPLANATIONS, wanted, TrafficExplanations)
    except RetryableError:
        # Where nobody shares traffic there is nothing to say of it.
        shared = TrafficExplanations()
    try:
        found = await answered(hub, EXPLANATIONS, asked, Explanation)
    except MemberRefused as err:
        if err.status != _NOT_FOUND or not shared.policies:
            raise
        found = Explanation(
            about=asked.kind,
            namespace=asked.namespace,
            name=asked.name,
            recorded=False,
            scheduled=False,
            reason="NotPropagated",
            message="it is not propagated from here",
        )
    return msgspec.structs.replace(found, traffic=shared.policies)
