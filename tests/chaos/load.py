"""People at work: they create, edit, scale and delete, and remember what they were told is done.

Every change is insisted on until it is answered, as a careful client does. What a name was last
given is what must be there in the end, whatever happened meanwhile.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from copy import deepcopy

from hanse.hub import Hub
from shared.apimachinery.manifest import GroupVersionKind, Manifest, name_of
from tests.chaos.insist import insist

NAMESPACE = "chaos"
SPREAD = "spread"
EVERYWHERE, DIVIDED = "everywhere", "divided"
_NAMES = 30
_REPLICAS_MAX = 6
_NAMESPACE: Manifest = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {"name": NAMESPACE},
}


class Load:
    """Up to thirty objects, changed as *chance* has it.

    Without *divided* all of them go everywhere: where nothing runs no share can move, as its
    substitute never becomes ready.
    """

    def __init__(self, hub: Hub, chance: random.Random, *, divided: bool) -> None:
        self.wanted: dict[str, Manifest] = {}
        """By name, as it was last asked for; what is not here must not be anywhere."""

        self.edits: Counter[str] = Counter()
        """How often each name was given a content: a member that was not told of a deletion in
        time goes on with the object that it has, and with its count."""

        self.made = 0
        """Changes that were acknowledged."""

        self.again = 0
        """Requests that had to be sent again."""

        self._hub = hub
        self._chance = chance
        self._names = [f"app-{number}" for number in range(_NAMES)]
        self._spreads = (EVERYWHERE, EVERYWHERE, DIVIDED if divided else EVERYWHERE)

    async def settle(self) -> None:
        """Make the namespace, the policies, and half of the objects."""
        await self._insist(lambda: self._hub.apply(_NAMESPACE))
        for spread in (EVERYWHERE, DIVIDED):
            await self._insist(lambda spread=spread: self._hub.apply(_policy(spread)))
        for name in self._names[::2]:
            await self._create(name)

    async def change(self, count: int, pause: float) -> None:
        """Make *count* changes, with *pause* seconds after each."""
        for _ in range(count):
            await self.change_one(self._chance.choice(self._names))
            await asyncio.sleep(pause)

    async def change_one(self, name: str) -> None:
        if name not in self.wanted:
            await self._create(name)
        elif self._chance.random() < 0.2:
            await self.delete(name)
        elif self._chance.random() < 0.3 and "replicas" in self.wanted[name].get("spec", {}):
            await self._scale(name)
        else:
            await self._edit(name)

    async def delete(self, name: str) -> None:
        gvk = GroupVersionKind.of(self.wanted[name])
        await self._insist(lambda: self._hub.delete(gvk, NAMESPACE, name))
        del self.wanted[name]
        self.made += 1

    async def clear(self) -> None:
        """Delete everything that is left."""
        for name in tuple(self.wanted):
            await self.delete(name)

    async def _create(self, name: str) -> None:
        # A name keeps its kind: a leftover of its last life would be met.
        make = (_config_map, _deployment, _deployment)[self._names.index(name) % 3]
        spread = self._spreads[self._names.index(name) % 3]
        await self._apply(make(name, spread, self._content(), self._replicas()))

    async def _edit(self, name: str) -> None:
        changed = deepcopy(self.wanted[name])
        if changed["kind"] == "ConfigMap":
            changed["data"]["content"] = self._content()
        else:
            changed["spec"]["template"]["spec"]["containers"][0]["image"] = self._content()
        await self._apply(changed)

    async def _scale(self, name: str) -> None:
        changed = deepcopy(self.wanted[name])
        changed["spec"]["replicas"] = self._replicas()
        await self._apply(changed)

    async def _apply(self, manifest: Manifest) -> None:
        # Nothing is known of it until it is answered, and it is answered before we go on.
        await self._insist(lambda: self._hub.apply(manifest))
        self.wanted[name_of(manifest)] = manifest
        self.edits[name_of(manifest)] += 1
        self.made += 1

    async def _insist(self, call: Callable[[], Awaitable[object]]) -> None:
        self.again += await insist(call)

    def _content(self) -> str:
        return f"registry.example/app:{self._chance.getrandbits(48):x}"

    def _replicas(self) -> int:
        return self._chance.randint(1, _REPLICAS_MAX)


def content_of(manifest: Manifest) -> str:
    """What an edit changes. Items of a list do not say their kind."""
    if "data" in manifest:
        return str(manifest["data"]["content"])
    return str(manifest["spec"]["template"]["spec"]["containers"][0]["image"])


def spread_of(manifest: Manifest) -> str:
    return str(manifest["metadata"]["labels"][SPREAD])


def _policy(spread: str) -> Manifest:
    scheduling: Manifest = {"replicaSchedulingType": "Duplicated"}
    if spread == DIVIDED:
        everywhere = {"targetCluster": {}, "weight": 1}
        scheduling = {
            "replicaSchedulingType": "Divided",
            "weightPreference": {"staticWeightList": [everywhere]},
        }
    selected = {"labelSelector": {"matchLabels": {SPREAD: spread}}}
    return {
        "apiVersion": "hanse.dev/v1alpha1",
        "kind": "ClusterPropagationPolicy",
        "metadata": {"name": spread},
        "spec": {
            "resourceSelectors": [
                {"apiVersion": "apps/v1", "kind": "Deployment", **selected},
                {"apiVersion": "v1", "kind": "ConfigMap", **selected},
            ],
            "placement": {"replicaScheduling": scheduling},
        },
    }


def _config_map(name: str, spread: str, content: str, _replicas: int) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {SPREAD: spread}},
        "data": {"content": content},
    }


def _deployment(name: str, spread: str, content: str, replicas: int) -> Manifest:
    labels = {"app": name, SPREAD: spread}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "app", "image": content}]},
            },
        },
    }
