"""The openb trace as a federation: its nodes cut into clusters, its pods as workloads in time.

Alibaba's cluster-trace-gpu-v2023: 1,523 nodes and 8,152 pods. Pods arrive in the order of the trace
and stay, as the authors replay it, so that the fleet fills up; those of equal requests among so
many in a row are one workload. Within a cluster a pod is bound as Kubernetes does by default, to
the fitting node of which the least is allocated. GPUs count as a sum per node, in thousandths.
"""

import csv
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from services.scheduler.core.member import Member
from services.scheduler.core.room import NodeRoom, Room
from shared.interpreter.replicas import ReplicaDemand

NODES, PODS = "openb_node_list_all_node.csv", "openb_pod_list_default.csv"
GPU = "nvidia.com/gpu"
_NAMES = ("cpu", "memory", GPU)
_NANO = (10**6, 2**20 * 10**9, 10**6)
"""Of a thousandth of a core, a MiB and a thousandth of a GPU."""


class Amounts(NamedTuple):
    """Thousandths of cores, MiB, thousandths of GPUs."""

    cpu: int = 0
    memory: int = 0
    gpu: int = 0

    def fits(self, free: "Amounts") -> bool:
        return self.cpu <= free.cpu and self.memory <= free.memory and self.gpu <= free.gpu

    def plus(self, other: "Amounts", times: int = 1) -> "Amounts":
        return Amounts(*(one + times * more for one, more in zip(self, other, strict=True)))

    def how_often(self, free: "Amounts") -> int:
        """How often this fits into *free*, as one sum."""
        return min((most // one for one, most in zip(self, free, strict=True) if one), default=0)


@dataclass(slots=True)
class Node:
    size: Amounts
    free: Amounts
    pods: Counter[Amounts] = field(default_factory=Counter)

    def put(self, one: Amounts, count: int) -> None:
        self.free = self.free.plus(one, -count)
        self.pods[one] += count


@dataclass(slots=True)
class Cluster:
    """Its nodes, and the price of a core, a GiB and a GPU for an hour."""

    name: str
    region: str
    prices: tuple[float, float, float]
    nodes: list[Node] = field(default_factory=list)

    @property
    def free(self) -> Amounts:
        return Amounts(*map(sum, zip(*(one.free for one in self.nodes), strict=True)))

    def bind(self, one: Amounts, count: int) -> int:
        """Bind up to *count* pods; returns how many found a node."""
        for done in range(count):
            fitting = [node for node in self.nodes if one.fits(node.free)]
            if not fitting:
                return done
            max(fitting, key=_share_free).put(one, 1)
        return count

    def release(self, one: Amounts, count: int) -> None:
        """End *count* pods, on the fullest nodes."""
        for _ in range(count):
            min((node for node in self.nodes if node.pods[one]), key=_share_free).put(one, -1)

    def holds(self, one: Amounts, most: int) -> int:
        """How many of *most* pods would find a node."""
        return min(most, sum(one.how_often(node.free) for node in self.nodes))

    def price_of(self, one: Amounts) -> float:
        cpu, memory, gpu = self.prices
        return one.cpu / 1e3 * cpu + one.memory / 1024 * memory + one.gpu / 1e3 * gpu

    def member(self) -> Member:
        """Return what Hanse sees of it: the room of every node."""
        nodes = Counter(node.free for node in self.nodes)
        return Member(
            name=self.name,
            place={"region": self.region, "zone": "", "provider": ""},
            room=Room(
                tuple(
                    NodeRoom(
                        count,
                        {
                            name: amount * nano
                            for name, amount, nano in zip(_NAMES, free, _NANO, strict=True)
                        },
                    )
                    for free, count in nodes.items()
                )
            ),
        )


@dataclass(frozen=True, slots=True)
class Job:
    """Pods that are one workload."""

    name: str
    each: Amounts
    count: int

    @property
    def demand(self) -> ReplicaDemand:
        requests = {"cpu": f"{self.each.cpu}m", "memory": f"{self.each.memory}Mi"}
        if self.each.gpu:
            requests[GPU] = f"{self.each.gpu}m"
        return ReplicaDemand(self.count, requests)


def _share_free(node: Node) -> float:
    return node.free.cpu / node.size.cpu + node.free.memory / node.size.memory


def read_clusters(folder: Path, number: int) -> list[Cluster]:
    """Cut the nodes into *number* clusters by a hash of their names, in five regions."""
    found = [Cluster(f"cluster-{n:02}", f"region-{n % 5}", _prices(n % 5)) for n in range(number)]
    for row in _rows(folder / NODES):
        size = Amounts(int(row["cpu_milli"]), int(row["memory_mib"]), 1000 * int(row["gpu"]))
        found[zlib.crc32(row["sn"].encode()) % number].nodes.append(Node(size, size))
    return found


def _prices(region: int) -> tuple[float, float, float]:
    """A core, a GiB, a GPU for an hour: each region a tenth dearer than the one before."""
    return (0.04 * (1 + region / 10), 0.005 * (1 + region / 10), 1.0 * (1 + region / 10))


def read_jobs(folder: Path, row_of: int) -> list[Job]:
    """Return the workloads in order of time: equal pods among *row_of* in a row are one."""
    rows = sorted(_rows(folder / PODS), key=lambda row: (int(row["creation_time"]), row["name"]))
    jobs: list[Job] = []
    for start in range(0, len(rows), row_of):
        counts: Counter[Amounts] = Counter()
        for row in rows[start : start + row_of]:
            gpus = int(row["num_gpu"]) * int(row["gpu_milli"])
            counts[Amounts(int(row["cpu_milli"]), int(row["memory_mib"]), gpus)] += 1
        jobs += [Job(f"job-{start}-{n}", *item) for n, item in enumerate(counts.items())]
    return jobs


def _rows(path: Path) -> Iterable[Mapping[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def fragmentation(clusters: Iterable[Cluster], jobs: Sequence[Job]) -> float:
    """Return the share of free GPUs that the mean pod of the trace finds no node for.

    As Weng et al. measure it (USENIX ATC 2023): what is free on a node counts for every sort of pod
    that does not fit there, as often as the trace has it.
    """
    sorts: Counter[Amounts] = Counter()
    for job in jobs:
        sorts[job.each] += job.count
    pods, free, lost = sum(sorts.values()), 0, 0.0
    for cluster in clusters:
        for node in cluster.nodes:
            free += node.free.gpu
            if node.free.gpu:
                misfits = sum(n for one, n in sorts.items() if not one.fits(node.free))
                lost += node.free.gpu * misfits / pods
    return lost / free if free else 0.0
