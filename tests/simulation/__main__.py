"""`python -m tests.simulation`: many seeds, or one with all its lines."""

import argparse
import os
import sys
import time
from functools import partial
from multiprocessing import get_context

from tests.simulation.simulation import Length, Outcome, begin, simulate

_HASH_SEED = "0"
_CHUNK = 4
_CHUNKS_PER_PROCESS = 25


def main() -> int:
    arguments = _parse()
    if os.environ.get("PYTHONHASHSEED") != _HASH_SEED:
        # The order of sets is a part of the history.
        environment = {**os.environ, "PYTHONHASHSEED": _HASH_SEED}
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]], environment
        )
    length = Length(
        deeds=arguments.deeds,
        members=arguments.members,
        fenced=arguments.fenced,
        traffic=arguments.traffic,
        replacing=arguments.replacing,
    )
    if arguments.seed is not None:
        return _replay(arguments.seed, length)
    return _run_many(range(arguments.first, arguments.first + arguments.seeds), length, arguments)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seed", type=int, help="replay this one, line by line")
    parser.add_argument("--seeds", type=int, default=200, help="how many to run")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="processes at the same time")
    parser.add_argument("--deeds", type=int, default=25, help="deeds of people in each history")
    parser.add_argument("--fenced", action="store_true", help="with propagators beside members")
    parser.add_argument("--traffic", action="store_true", help="with services of many members")
    parser.add_argument("--replacing", action="store_true", help="with kubectl replace --force")
    parser.add_argument("--members", type=int, default=3)
    return parser.parse_args()


def _replay(seed: int, length: Length) -> int:
    outcome = simulate(seed, length, lines_max=None)
    print("\n".join(outcome.lines))
    print(f"seed {seed}: {outcome.violation or 'all holds'}; {outcome.digest}")
    return 1 if outcome.violation else 0


def _run_many(seeds: range, length: Length, arguments: argparse.Namespace) -> int:
    started, failed, slowest = time.perf_counter(), 0, Outcome(0, "", 0, "", 0.0, ())
    # Fresh processes now and then: caches of a process fill with the objects of many hubs.
    # Not the pool of concurrent.futures: replacing its processes, it may wait for ever (gh-115634).
    pool = get_context("spawn").Pool(
        arguments.jobs, initializer=begin, maxtasksperchild=_CHUNKS_PER_PROCESS
    )
    with pool:
        for outcome in pool.imap(partial(simulate, length=length), seeds, chunksize=_CHUNK):
            slowest = max(slowest, outcome, key=lambda one: one.rested)
            if outcome.violation:
                failed += 1
                _report(outcome)
    seconds = time.perf_counter() - started
    print(
        f"{len(seeds)} seeds, {failed} failed, {seconds:.1f} s; the slowest to rest was "
        f"{slowest.seed} ({slowest.rested:.0f} s)"
    )
    return 1 if failed else 0


def _report(outcome: Outcome) -> None:
    print("\n".join(outcome.lines[-40:]))
    print(f"seed {outcome.seed} FAILED: {outcome.violation}")
    print(f"replay it: make simulate SEED={outcome.seed}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
