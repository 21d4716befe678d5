"""`hanse render KIND/NAME`: what members would hold, and which rule of which policy made it so.

The hub renders, by the function that makes orders; here it is asked and shown.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence

import msgspec
import uvloop

from hanse.asking import hub_of
from hanse.commands.options import Subcommands, add_files, add_json, add_object, member_name
from hanse.files import read_files
from hanse.kind_names import find_kind
from hanse.questions import RENDERINGS
from hanse.texts.rendering import as_changes, as_manifests
from shared.api.meta import GROUP
from shared.apimachinery.manifest import GroupVersionKind, Manifest, name_of
from shared.errors import HanseError
from shared.events.rendering import Rendering, RenderRequest
from shared.memberapi.port import MemberApi, ResourceType
from shared.telemetry.setup import configure_logs

_BESIDE = ("OverridePolicy", "ClusterOverridePolicy", "Cluster")


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("render", help="show what members would hold")
    add_object(parser)
    parser.add_argument(
        "--cluster",
        action="append",
        default=[],
        type=member_name,
        metavar="C",
        help="may be repeated, and need not be in the decision (default: those that are)",
    )
    add_files(parser, "override policies, clusters and the template as they would be")
    parser.add_argument(
        "--diff", action="store_true", help="show what each rule changes, not the manifests"
    )
    add_json(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Return 0 only where every cluster asked for has a manifest."""
    configure_logs("hanse", "error")
    try:
        found = uvloop.run(_render(options))
    except (HanseError, OSError) as err:
        sys.stderr.write(f"{err}\n")
        return 1
    if options.json:
        print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    else:
        show = as_changes if options.diff else as_manifests
        sys.stdout.write(show(found))
        for line in _remarks(found, failures=not options.diff):
            sys.stderr.write(f"{line}\n")
    return 1 if not found.clusters or any(one.error for one in found.clusters) else 0


async def _render(options: argparse.Namespace) -> Rendering:
    kind_word, _, name = options.object.partition("/")
    objects = await asyncio.to_thread(read_files, options.filename)
    async with hub_of(options) as hub:
        kind = await find_kind(hub, kind_word)
        return await _ask(hub, kind, name, objects, options)


async def _ask(
    hub: MemberApi,
    kind: ResourceType,
    name: str,
    objects: Sequence[Manifest],
    options: argparse.Namespace,
) -> Rendering:
    asked = RenderRequest(
        api_version=kind.gvk.api_version,
        kind=kind.gvk.kind,
        resource=kind.resource,
        namespace=options.namespace if kind.namespaced else "",
        name=name,
        clusters=tuple(dict.fromkeys(options.cluster)),
        objects=tuple(one for one in objects if _has_part(one, kind.gvk, name)),
    )
    answer = await hub.create(RENDERINGS, "", msgspec.to_builtins(asked))
    return msgspec.convert(answer, Rendering)


def _has_part(manifest: Manifest, gvk: GroupVersionKind, name: str) -> bool:
    """A file may hold a whole application: the rest of it changes nothing here."""
    found = GroupVersionKind.of(manifest)
    if found.group == GROUP:
        return found.kind in _BESIDE
    return (found.group, found.kind, name_of(manifest)) == (gvk.group, gvk.kind, name)


def _remarks(found: Rendering, *, failures: bool) -> Iterator[str]:
    if found.message:
        yield found.message
    for one in found.clusters if failures else ():
        if one.error:
            yield f"{one.cluster}: {one.error}"
    if not found.clusters:
        yield "no cluster holds it; name one with --cluster"
