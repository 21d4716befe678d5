"""`hanse render KIND/NAME`: what members would hold, and which rule of which policy made it so.

The hub renders, by the function that makes orders; here it is asked and shown.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop
import yaml

from hanse.hub import open_hub
from hanse.kind_names import find_kind
from hanse.rendering_text import as_changes, as_manifests
from shared.api.meta import API_VERSION, GROUP
from shared.apimachinery.manifest import GroupVersionKind, Manifest, name_of
from shared.apiserver.requests.bodies import KubernetesLoader
from shared.errors import HanseError, InvalidObject
from shared.events.rendering import Rendering, RenderRequest
from shared.memberapi.credentials import read_kubeconfig
from shared.memberapi.port import MemberApi, ResourceType
from shared.telemetry.setup import configure_logs

_RENDERINGS = ResourceType(
    GroupVersionKind.parse(API_VERSION, "Rendering"), "renderings", namespaced=False
)
_BESIDE = ("OverridePolicy", "ClusterOverridePolicy", "Cluster")


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
    access = read_kubeconfig(options.kubeconfig.expanduser(), options.context)
    async with open_hub(access) as hub:
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
    answer = await hub.create(_RENDERINGS, "", msgspec.to_builtins(asked))
    return msgspec.convert(answer, Rendering)


def _has_part(manifest: Manifest, gvk: GroupVersionKind, name: str) -> bool:
    """A file may hold a whole application: the rest of it changes nothing here."""
    found = GroupVersionKind.of(manifest)
    if found.group == GROUP:
        return found.kind in _BESIDE
    return (found.group, found.kind, name_of(manifest)) == (gvk.group, gvk.kind, name)


def read_files(paths: Sequence[Path]) -> list[Manifest]:
    """Return the objects of YAML and JSON files, `-` being the standard input; lists are opened.

    Raises `InvalidObject` that names the file, and OSError.
    """
    found: list[Manifest] = []
    for path in paths:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        try:
            documents = list(yaml.load_all(text, Loader=KubernetesLoader))
        except (yaml.YAMLError, ValueError, RecursionError) as err:
            raise InvalidObject(f"{path} is not YAML: {' '.join(str(err).split())}") from err
        for document in documents:
            found += _opened(document, path)
    return found


def _opened(document: Any, path: Path) -> Iterator[Manifest]:
    if document is None:
        return
    if not isinstance(document, dict):
        raise InvalidObject(f"{path} holds something that is no object")
    items = document.get("items")
    if str(document.get("kind", "")).endswith("List") and isinstance(items, list):
        for item in items:
            yield from _opened(item, path)
    else:
        yield document


def _remarks(found: Rendering, *, failures: bool) -> Iterator[str]:
    if found.message:
        yield found.message
    for one in found.clusters if failures else ():
        if one.error:
            yield f"{one.cluster}: {one.error}"
    if not found.clusters:
        yield "no cluster holds it; name one with --cluster"
