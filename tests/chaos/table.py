"""Results as a table in Markdown."""

from collections.abc import Sequence

from tests.chaos.run import Result

_HEADING = (
    "| scenario | broken | changes | sent again | lost | doubled | orphaned | whole after |\n"
    "|---|---|---:|---:|---:|---:|---:|---:|"
)


def table(results: Sequence[Result]) -> str:
    return "\n".join([_HEADING, *map(_row, results)])


def _row(result: Result) -> str:
    broken = ", ".join(f"{what}: {count}" for what, count in result.broken.items())
    judged = (result.judgement, result.emptied)
    cells = [
        result.scenario,
        broken,
        str(result.changes),
        str(result.again),
        *(
            str(sum(len(getattr(one, what)) for one in judged))
            for what in ("lost", "doubled", "orphaned")
        ),
        f"{result.whole_seconds:.1f} s" if result.judgement.holds else "never",
    ]
    return f"| {' | '.join(cells)} |"
