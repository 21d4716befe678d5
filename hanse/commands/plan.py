"""`hanse plan`: what would move if a change were made or a cluster lost, before it happens.

The hub decides by the function that decides; here it is asked and shown. Exit status: 0 where
everything has a place afterwards, 3 where something would have none that has one today, 1 where the
plan could not be made; with `--detailed-exitcode` 2 where something moves and all has its place;
with `--cost-max` 4 where all that and more would cost more in an hour.
"""

import argparse
import asyncio
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from hanse.asking import answered, ask_by, show
from hanse.commands.options import (
    Subcommands,
    add_files,
    add_hub,
    add_json,
    member_name,
    object_name,
)
from hanse.files import read_files
from hanse.kind_names import find_kind
from hanse.questions import PLANS
from hanse.texts.plan import as_text
from shared.api.meta import GROUP
from shared.apimachinery.manifest import GroupVersionKind, Manifest, namespace_of
from shared.apimachinery.quantity import parse_quantity
from shared.errors import InvalidObject
from shared.events.planning import (
    Plan,
    PlanRequest,
    SupposedAbsence,
    SupposedPrice,
    SupposedTemplate,
)
from shared.memberapi.port import MemberApi, ResourceType

CHANGES, UNPLACED, DEAR = 2, 3, 4
_KINDS = (
    "Cluster",
    "ClusterGroup",
    "PropagationPolicy",
    "ClusterPropagationPolicy",
    "FederatedResourceQuota",
)
"""Of the own kinds those that have a part in where things run; others may stand beside them."""
_OF_A_CLUSTER = ("Cluster", "ClusterGroup")
_NAMESPACED = ("PropagationPolicy", "FederatedResourceQuota")


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("plan", help="show what would move if")
    add_files(parser, "policies, clusters, groups, quotas and templates as they would be")
    parser.add_argument(
        "--without",
        action="append",
        default=[],
        type=object_name,
        metavar="KIND/NAME",
        help="a policy, a group, a quota or a template that is deleted; may be repeated",
    )
    parser.add_argument(
        "--lose",
        action="append",
        default=[],
        type=member_name,
        metavar="CLUSTER",
        help="gone, with all that runs there; may be repeated",
    )
    parser.add_argument(
        "--add",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="a Cluster that joins, ready, with the room that its status tells; what else the file"
        " holds is passed over",
    )
    _add_costs(parser)
    parser.add_argument(
        "-n", "--namespace", default="", metavar="NS", help="look at this one only (default: all)"
    )
    add_hub(parser)
    parser.add_argument(
        "--detailed-exitcode",
        action="store_true",
        help="exit status 2 where something moves and everything has its place",
    )
    add_json(parser)
    parser.set_defaults(run=run)


def _add_costs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--price",
        action="append",
        default=[],
        type=_price,
        metavar="CLUSTER=cpu:P,memory:P,gpu:P",
        help="what an hour of a core, a GiB, a GPU would cost there; may be repeated",
    )
    parser.add_argument(
        "--optimise",
        action="store_true",
        help="place together what policies would have placed together (spec.placement.optimise)",
    )
    parser.add_argument(
        "--cost-max",
        type=_cost,
        metavar="COST",
        help="exit status 4 where all would cost more than that in an hour",
    )


def run(options: argparse.Namespace) -> int:
    """Ask for the plan, show it, and return the exit status."""
    found = ask_by(options, lambda hub: _plan(hub, options))
    if found is None:
        return 1
    show(found, options, as_text)
    if found.unplaced:
        return UNPLACED
    if options.cost_max is not None and found.cost_after > options.cost_max:
        return DEAR
    return CHANGES if found.changes and options.detailed_exitcode else 0


async def _plan(hub: MemberApi, options: argparse.Namespace) -> Plan:
    supposed = (options.filename, options.add, options.without, options.lose, options.price)
    if not (any(supposed) or options.optimise or options.cost_max is not None):
        message = "nothing is supposed: give -f, --add, --without, --lose, --price or --optimise"
        raise InvalidObject(message)
    objects = await asyncio.to_thread(read_files, options.filename)
    own = [one for one in objects if _is_of(one, _KINDS)]
    others = [one for one in objects if GroupVersionKind.of(one).group != GROUP]
    own += await asyncio.to_thread(_added, options.add)
    asked = PlanRequest(
        objects=tuple(_placed(one, options) for one in own),
        without=await _without(hub, options),
        templates=await _templates(hub, others, options.namespace or "default"),
        lose=tuple(dict.fromkeys(options.lose)),
        namespace=options.namespace,
        prices=dict(options.price),
        optimise=options.optimise,
    )
    return await answered(hub, PLANS, asked, Plan)


def read_price(text: str) -> tuple[str, SupposedPrice]:
    """Read `eu-1=cpu:0.05,memory:0.004,gpu:2.1`; raises ValueError."""
    name, _, rest = text.partition("=")
    pairs = [one.partition(":") for one in rest.split(",")]
    stated = {resource: price for resource, _, price in pairs}
    if not name or len(stated) < len(pairs) or not stated.keys() <= {"cpu", "memory", "gpu"}:
        raise ValueError(f"{text!r} is no CLUSTER=cpu:PRICE,memory:PRICE,gpu:PRICE")
    for price in stated.values():
        if parse_quantity(price) < 0:
            raise ValueError(f"{price!r} is below zero")
    return name, SupposedPrice(**stated)


def _is_of(manifest: Manifest, kinds: Sequence[str]) -> bool:
    gvk = GroupVersionKind.of(manifest)
    return gvk.group == GROUP and gvk.kind in kinds


def _added(paths: Sequence[Path]) -> list[Manifest]:
    """Read the clusters of files; raises `InvalidObject` for one that holds none."""
    found = []
    for path in paths:
        objects = [one for one in read_files([path]) if _is_of(one, _OF_A_CLUSTER)]
        if not any(_is_of(one, ("Cluster",)) for one in objects):
            raise InvalidObject(f"{path} holds no Cluster")
        found += objects
    return found


async def _without(hub: MemberApi, options: argparse.Namespace) -> tuple[SupposedAbsence, ...]:
    found = []
    for one in options.without:
        word, _, name = one.partition("/")
        kind = await find_kind(hub, word)
        within = (options.namespace or "default") if kind.namespaced else ""
        absent = SupposedAbsence(
            group=kind.gvk.group, resource=kind.resource, namespace=within, name=name
        )
        found.append(absent)
    return tuple(found)


def _placed(manifest: Manifest, options: argparse.Namespace) -> Manifest:
    if manifest.get("kind") not in _NAMESPACED or namespace_of(manifest):
        return manifest
    metadata = {**manifest.get("metadata", {}), "namespace": options.namespace or "default"}
    return {**manifest, "metadata": metadata}


async def _templates(
    hub: MemberApi, manifests: Iterable[Manifest], namespace: str
) -> tuple[SupposedTemplate, ...]:
    """Find out by which resource the hub serves each kind, and whether it has a namespace."""
    found = []
    kinds: dict[tuple[str, str], ResourceType] = {}
    for manifest in manifests:
        gvk = GroupVersionKind.of(manifest)
        if not kinds:
            kinds = {(one.gvk.group, one.gvk.kind): one for one in await hub.discover()}
        kind = kinds.get((gvk.group, gvk.kind))
        if kind is None:
            raise InvalidObject(f"the hub serves no kind {gvk.kind} of {gvk.api_version}")
        within = (namespace_of(manifest) or namespace) if kind.namespaced else ""
        found.append(SupposedTemplate(resource=kind.resource, namespace=within, manifest=manifest))
    return tuple(found)


def _price(text: str) -> tuple[str, SupposedPrice]:
    try:
        return read_price(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(str(err)) from err


def _cost(text: str) -> float:
    try:
        cost = float(text)
    except ValueError:
        cost = math.nan
    # Nothing is above what is no number: such a bound would let everything pass.
    if not 0 <= cost < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no cost: a number of at least 0")
    return cost
