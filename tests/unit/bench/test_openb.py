"""The replay of a trace conserves pods, and nothing is bound beyond what a node has."""

import argparse
import csv

import pytest

from bench import openb
from bench.openb_strategies import STRATEGIES
from bench.openb_world import NODES, PODS, read_clusters, read_jobs


@pytest.fixture
def trace(tmp_path):
    nodes = [
        {"sn": f"n{n}", "cpu_milli": 8_000, "memory_mib": 16_384, "gpu": n % 3} for n in range(12)
    ]
    pods = [
        {
            "name": f"p{n}",
            "cpu_milli": 1_000 + 500 * (n % 4),
            "memory_mib": 2_048,
            "num_gpu": int(n % 3 == 0),
            "gpu_milli": 500 if n % 3 == 0 else 0,
            "creation_time": n,
        }
        for n in range(60)
    ]
    for name, rows in ((NODES, nodes), (PODS, pods)):
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    return tmp_path


def replayed(trace, row):
    return openb.run(
        argparse.Namespace(trace=trace, clusters=4, row=row, together=3, chart=trace / "a.svg")
    )


@pytest.mark.parametrize("row", [1, 20])
def test_every_strategy_accounts_for_every_pod(trace, row):
    found = replayed(trace, row)
    assert found["pods"] == 60
    assert set(found["by"]) == set(STRATEGIES)
    for one in found["by"].values():
        assert 0 < one["cpu_percent"] <= 100
        assert 0 <= one["pods_without_node"] < 60
        assert 0 <= one["pods_not_placed_again"] <= 60
    assert (trace / "a.svg").read_text().count("<polyline") == len(STRATEGIES)


def test_what_is_decided_by_the_room_of_nodes_waits_for_no_node(trace):
    clusters = read_clusters(trace, 4)
    jobs = read_jobs(trace, 1)
    strategy = STRATEGIES["Hanse, by room"](clusters)
    by_name = {one.name: one for one in clusters}
    for job in jobs:
        for name, share in strategy.place(job, {}).items():
            assert by_name[name].bind(job.each, share) == share
            strategy.note([name])


def test_without_a_trace_there_are_no_figures():
    assert openb.run(argparse.Namespace(trace=None)) == {}
