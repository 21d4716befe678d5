"""Settings are read from variables by one rule."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from shared.runtime.environment import BadSetting, read_settings


@dataclass(frozen=True)
class Inner:
    url: str = "nats://127.0.0.1:4222"


@dataclass(frozen=True)
class Settings:
    name: str
    nats: Inner = Inner()
    interval: timedelta = timedelta(seconds=5)
    clusters: tuple[str, ...] = ()
    verbose: bool = False


def test_every_kind_of_field_is_read() -> None:
    found = read_settings(
        Settings,
        {
            "HANSE_NAME": "x",
            "HANSE_NATS_URL": "nats://other:1",
            "HANSE_INTERVAL": "0.5",
            "HANSE_CLUSTERS": "a, b",
            "HANSE_VERBOSE": "yes",
        },
    )
    assert found == Settings("x", Inner("nats://other:1"), timedelta(seconds=0.5), ("a", "b"), True)


def test_what_is_not_set_keeps_its_default() -> None:
    assert read_settings(Settings, {"HANSE_NAME": "x"}) == Settings("x")


@pytest.mark.parametrize(
    ("variable", "value"), [("HANSE_INTERVAL", "soon"), ("HANSE_VERBOSE", "perhaps")]
)
def test_an_unreadable_value_names_the_variable_and_hides_the_value(
    variable: str, value: str
) -> None:
    with pytest.raises(BadSetting, match=variable) as raised:
        read_settings(Settings, {"HANSE_NAME": "x", variable: value})
    assert value not in str(raised.value)


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(BadSetting, match="name"):
        read_settings(Settings, {})
