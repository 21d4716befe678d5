"""A trace of a production cluster, replayed over twenty clusters by Hanse and by plain rules.

`--trace` is the folder with the two files of the openb trace (alibaba/clusterdata,
cluster-trace-gpu-v2023). When all pods have come one cluster is lost. Figures by strategy: what is
allocated of cores, memory and GPUs, pods without a node, the share of free GPUs that the mean pod
cannot use, cost per hour, and after the loss pods that moved and pods of these that need not have.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.openb_chart import draw
from bench.openb_strategies import STRATEGIES, Strategy
from bench.openb_together import place_together
from bench.openb_world import Amounts, Cluster, Job, fragmentation, read_clusters, read_jobs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trace", type=Path, metavar="DIR", help="folder of the trace's files")
    parser.add_argument("--clusters", type=int, default=20, help="clusters to cut the nodes into")
    parser.add_argument(
        "--row", type=int, default=1, help="equal pods among so many in a row are one workload"
    )
    parser.add_argument(
        "--together", type=int, default=30, metavar="N", help="workloads that are placed together"
    )
    parser.add_argument("--chart", type=Path, metavar="FILE", help="draw an SVG of the filling")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Replay by every strategy; without a trace there are no figures."""
    if arguments.trace is None:
        return {}
    jobs = read_jobs(arguments.trace, arguments.row)
    figures, lines = {}, {}
    for name, strategy in STRATEGIES.items():
        clusters = read_clusters(arguments.trace, arguments.clusters)
        replay = _Replay(clusters, jobs, strategy(clusters))
        figures[name] = replay.fill() | replay.lose_one()
        lines[name] = replay.filling
    if arguments.chart is not None:
        arguments.chart.write_text(draw(lines), encoding="utf-8")
    together = place_together(arguments.trace, arguments.clusters, arguments.together)
    return {"together": together} | {
        "workloads": len(jobs),
        "pods": sum(one.count for one in jobs),
        "by": figures,
    }


def rows(figures: dict[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Return the lines of the table: all figures of a strategy in one."""
    for name, one in figures.get("by", {}).items():
        yield name, ", ".join(f"{what} {value}" for what, value in one.items()), ""
    for objective, one in figures.get("together", {}).items():
        measured = ", ".join(f"{what} {value}" for what, value in one.items())
        yield f"together, {objective}", measured, ""
    if not figures:
        yield "no trace", "give its folder with --trace", ""


class _Replay:
    def __init__(self, clusters: Sequence[Cluster], jobs: Sequence[Job], by: Strategy) -> None:
        self._clusters = {one.name: one for one in clusters}
        self._jobs = jobs
        self._strategy = by
        self._shares: dict[str, Mapping[str, int]] = {}
        self._size = _sum(node.size for one in clusters for node in one.nodes)
        self._pods = sum(job.count for job in jobs)
        self.filling: list[tuple[float, float]] = []
        """GPUs that have been asked for, and that are allocated, as shares of all there are."""

    def fill(self) -> dict[str, Any]:
        """Have all workloads come."""
        asked = 0
        for job in self._jobs:
            bound = {}
            for name, share in self._strategy.place(job, {}).items():
                bound[name] = self._clusters[name].bind(job.each, share)
            self._strategy.note(list(bound))
            self._shares[job.name] = {name: share for name, share in bound.items() if share}
            asked += job.each.gpu * job.count
            self.filling.append((asked / self._size.gpu, self._used().gpu / self._size.gpu))
        used, clusters = self._used(), list(self._clusters.values())
        return {
            "cpu_percent": round(100 * used.cpu / self._size.cpu, 1),
            "memory_percent": round(100 * used.memory / self._size.memory, 1),
            "gpu_percent": round(100 * used.gpu / self._size.gpu, 1),
            "pods_without_node": self._pods - self._bound(),
            "fragmentation_percent": round(100 * fragmentation(clusters, self._jobs), 1),
            "cost_per_hour": round(self._cost()),
            "cost_per_pod": round(self._cost() / self._bound(), 3),
        }

    def lose_one(self) -> dict[str, Any]:
        """Lose the cluster in the middle, and have all that ran there placed again."""
        lost = sorted(self._clusters)[len(self._clusters) // 2]
        before = self._bound()
        there = sum(shares.get(lost, 0) for shares in self._shares.values())
        del self._clusters[lost]
        self._strategy.lose(lost)
        moved = 0
        for job in self._jobs:
            shares = self._shares[job.name]
            if lost in shares or self._strategy.follows_rule:
                moved += self._again(job, {one: n for one, n in shares.items() if one != lost})
        return {
            "pods_lost_with_cluster": there,
            "pods_moved_beside": moved,
            "pods_not_placed_again": before - self._bound(),
        }

    def _again(self, job: Job, kept: Mapping[str, int]) -> int:
        """Place what is left of a workload; returns how many pods left a cluster that is there."""
        wished = dict(self._strategy.place(job, kept))
        bound, left = dict(kept), 0
        for name, share in kept.items():
            gone = max(0, share - wished.get(name, 0))
            if gone:
                self._clusters[name].release(job.each, gone)
                bound[name] -= gone
                left += gone
        for name, share in wished.items():
            more = share - bound.get(name, 0)
            if more > 0:
                bound[name] = bound.get(name, 0) + self._clusters[name].bind(job.each, more)
        self._strategy.note(list(wished.keys() | kept.keys()))
        self._shares[job.name] = bound
        return left

    def _used(self) -> Amounts:
        free = _sum(node.free for one in self._clusters.values() for node in one.nodes)
        return self._size.plus(free, -1)

    def _bound(self) -> int:
        return sum(
            share
            for shares in self._shares.values()
            for name, share in shares.items()
            if name in self._clusters
        )

    def _cost(self) -> float:
        return sum(
            share * self._clusters[name].price_of(job.each)
            for job in self._jobs
            for name, share in self._shares[job.name].items()
        )


def _sum(amounts: Iterable[Amounts]) -> Amounts:
    return Amounts(*map(sum, zip(*amounts, strict=True)))
