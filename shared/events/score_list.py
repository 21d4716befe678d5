"""What is said of clusters at this moment: the request `hanse.api.scores` and its answer."""

import msgspec


class ListScores(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Answered by a `ScoreList`; without `name` of every score, without `cluster` of all."""

    name: str = ""
    cluster: str = ""


class StandingScore(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A score that has not expired. `source` said so at `at` (RFC 3339).

    Of a `latency` that was measured between members `from_cluster` is where.
    """

    name: str
    cluster: str
    value: float
    source: str = ""
    at: str = ""
    from_cluster: str = ""


class ScoreList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """By name and cluster. `more` says how many there are beside these."""

    scores: tuple[StandingScore, ...]
    more: int = 0
