"""Settings that make no sense are refused before anything starts."""

import pytest

from services.simulator.settings import Settings
from shared.runtime.environment import BadSetting, read_settings


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("HANSE_NODE_CPU", "many"),
        ("HANSE_NODE_MEMORY", "1Gb"),
        ("HANSE_FAULTS", '{"errorRate": 2}'),
        ("HANSE_FAULTS", "not json"),
        ("HANSE_NODES", "few"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(variable: str, text: str) -> None:
    with pytest.raises(BadSetting, match=variable):
        read_settings(Settings, {variable: text})


def test_faults_may_be_there_from_the_start() -> None:
    settings = read_settings(Settings, {"HANSE_FAULTS": '{"latencyMilliseconds": 50}'})
    assert settings.first_faults.latency_milliseconds == 50
    assert not Settings().first_faults.hang
