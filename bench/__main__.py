"""`python -m bench [PART] [--json]`: every figure beside its floor.

A part is a module with `add_arguments(parser)`, `run(arguments) -> dict` of figures and
`rows(figures)`, the lines of its table; it is imported only when it runs.
"""

import argparse
import importlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from types import ModuleType

from rich.console import Console
from rich.table import Table

PARTS = {
    "apiserver": "the API server alone: writes, reads, lists, watches, cold start",
    "dns": "questions of DNS per second of one core",
    "failover": "a member of many is lost: until what ran there runs elsewhere",
    "openb": "a trace of a production cluster replayed over twenty clusters",
    "propagation": "one Deployment to three members, and five hundred at once",
    "scheduler": "decisions per second over a fleet",
    "startup": "cold start of every service, and its memory",
    "traffic": "endpoints of one member known in all, many services from cold, DNS",
}


def _load(part: str) -> ModuleType:
    return importlib.import_module(f"bench.{part}")


def _present() -> list[str]:
    return [part for part in PARTS if importlib.util.find_spec(f"bench.{part}") is not None]


def _run(part: str, options: Sequence[str], *, as_json: bool) -> None:
    module = _load(part)
    parser = argparse.ArgumentParser(prog=f"python -m bench {part}", description=PARTS[part])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    module.add_arguments(parser)
    arguments = parser.parse_args(list(options))
    figures = module.run(arguments)
    if as_json or arguments.json:
        print(json.dumps(figures))
        return
    table = Table("figure", "measured", "floor", title=f"{part}: {PARTS[part]}")
    for row in module.rows(figures):
        table.add_row(*row)
    Console().print(table)


def main(words: Sequence[str]) -> int:
    """Run one part with its options, or all parts with their defaults."""
    if words and not words[0].startswith("-"):
        part, *options = words
        if part not in _present():
            sys.stderr.write(f"no such part: {part}; there are {', '.join(_present())}\n")
            return 2
        _run(part, options, as_json=False)
        return 0
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object per part")
    arguments = parser.parse_args(list(words))
    for part in _present():
        _run(part, [], as_json=arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
