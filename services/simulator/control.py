"""The control endpoint: faults and nodes on request, for tests and demonstrations.

    GET, POST, DELETE /simulator/faults
    GET, POST         /simulator/nodes
    GET               /simulator/backup

Callers authenticate as for the Kubernetes API, of which a real server has no such paths.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec
from aiohttp import web

from services.simulator.backup import encode_backup
from services.simulator.core.faults import Faults, read_faults
from services.simulator.core.fields import section
from services.simulator.core.placement import is_node_ready
from services.simulator.core.plan import NODES
from services.simulator.faults import CONTROL_PREFIX, FaultGate
from services.simulator.simulation import SimulatedCluster
from shared.apimachinery.manifest import name_of
from shared.apiserver.status_errors import ApiFault, bad_request, not_found

NODES_MAX = 1_000


class NodeOrder(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """`add` makes `count` nodes; the others name one. `silence` lets it stop answering."""

    action: Literal["add", "remove", "cordon", "uncordon", "silence", "answer"]
    name: str = ""
    count: int = 1


class Control:
    """Answers the control endpoint of one cluster."""

    def __init__(self, cluster: SimulatedCluster, gate: FaultGate) -> None:
        self._cluster = cluster
        self._gate = gate

    def routes(self) -> Sequence[web.RouteDef]:
        faults, nodes = f"{CONTROL_PREFIX}/faults", f"{CONTROL_PREFIX}/nodes"
        return [
            web.get(faults, self._show_faults),
            web.post(faults, self._set_faults),
            web.delete(faults, self._clear_faults),
            web.get(nodes, self._show_nodes),
            web.post(nodes, self._change_nodes),
            web.get(f"{CONTROL_PREFIX}/backup", self._back_up),
        ]

    async def _show_faults(self, _request: web.Request) -> web.StreamResponse:
        return _json(self._gate.faults)

    async def _set_faults(self, request: web.Request) -> web.StreamResponse:
        """Replace all faults by those of the body."""
        try:
            faults = read_faults(await request.read())
        except ValueError as err:
            raise bad_request(str(err)) from err
        self._gate.set(faults)
        return _json(faults)

    async def _clear_faults(self, _request: web.Request) -> web.StreamResponse:
        self._gate.set(Faults())
        return _json(self._gate.faults)

    async def _back_up(self, _request: web.Request) -> web.StreamResponse:
        """All objects as they are now; in the folder as `backup.json` the next start has them."""
        body = encode_backup(self._cluster.store.mirror.items())
        return web.Response(body=body, content_type="application/json")

    async def _show_nodes(self, _request: web.Request) -> web.StreamResponse:
        return self._nodes()

    async def _change_nodes(self, request: web.Request) -> web.StreamResponse:
        try:
            order = msgspec.json.decode(await request.read(), type=NodeOrder)
        except msgspec.DecodeError as err:
            raise bad_request(str(err)) from err
        if order.action == "add":
            there = len(self._cluster.view.all(NODES))
            if not 1 <= order.count <= NODES_MAX - there:
                raise bad_request(f"count: a cluster has at most {NODES_MAX} nodes")
            for _ in range(order.count):
                await self._cluster.add_node()
        elif not await self._change(order):
            raise not_found(NODES, order.name)
        return self._nodes()

    async def _change(self, order: NodeOrder) -> bool:
        cluster = self._cluster
        match order.action:
            case "remove":
                return await cluster.remove_node(order.name)
            case "cordon" | "uncordon":
                cordon = order.action == "cordon"
                return await cluster.cordon_node(order.name, unschedulable=cordon)
            case "silence" | "answer":
                return await cluster.silence_node(order.name, silent=order.action == "silence")
            case _:
                raise ApiFault(500, "an action without a meaning")

    def _nodes(self) -> web.StreamResponse:
        view = self._cluster.view
        found = sorted(view.all(NODES), key=name_of)
        return _json(
            [
                {
                    "name": name_of(node),
                    "ready": is_node_ready(node),
                    "schedulable": not section(node, "spec").get("unschedulable"),
                    "pods": len(view.pods_on(name_of(node))),
                }
                for node in found
            ]
        )


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), content_type="application/json")
