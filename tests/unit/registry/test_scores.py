"""Which scores of other systems are taken."""

import pytest

from services.registry.core.scores import check_scores
from shared.errors import MalformedEvent
from shared.events.commands import SCORE, decode_command
from shared.events.scores import PublishScores


def faults(name: str = "fitness", ttl_seconds: int = 60, **values: float | None) -> list[str]:
    asked = PublishScores(name=name, ttl_seconds=ttl_seconds, values={**values})
    return [one.path for one in check_scores(asked)]


def test_a_score_that_is_taken() -> None:
    assert faults(eu=1.5, us=None) == []
    assert faults("carbon", eu=40) == []


def test_every_fault_is_named() -> None:
    assert faults("Not A Label", 0) == ["name", "ttlSeconds", "values"]
    assert faults("price", eu=1) == ["name"]
    assert faults(eu=float("inf"), us=float("nan")) == ["values[eu]", "values[us]"]
    assert faults(ttl_seconds=8 * 24 * 3600, eu=1) == ["ttlSeconds"]
    assert faults(**{f"c{number}": 1.0 for number in range(1_001)}) == ["values"]


@pytest.mark.parametrize(
    "data",
    [
        b'{"name": "x", "ttlSeconds": 5, "values": {"eu": NaN}}',
        b'{"name": "x", "ttlSeconds": 5, "values": {"eu": 1e999}}',
        b'{"name": "x", "ttlSeconds": 5, "values": {"eu": "1"}}',
        b'{"name": "x", "ttlSeconds": 5, "values": {"eu": true}}',
        b'{"name": "x", "values": {"eu": 1}}',
        b'{"name": "x", "ttlSeconds": 1.5, "values": {"eu": 1}}',
        b"[]",
    ],
)
def test_what_is_no_number_is_no_command(data: bytes) -> None:
    with pytest.raises(MalformedEvent):
        decode_command(SCORE, data)
