"""What reaches a process's log, and in which form."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from aiohttp.http_exceptions import BadStatusLine

from shared.telemetry.setup import configure_logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def failed(name: str, error: Exception) -> None:
    try:
        raise error
    except type(error):
        logging.getLogger(name).exception('it failed with "quotes"')


def test_what_a_library_says_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("gateway", "info")
    failed("some.library", ValueError("first\nsecond"))
    (line,) = lines(capsys)
    assert line["event"] == 'it failed with "quotes"'
    assert (line["level"], line["service"]) == ("error", "gateway")
    assert line["exception"].endswith("ValueError: first\nsecond")


def test_a_strangers_broken_http_concerns_no_operator(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("gateway", "info")
    failed("aiohttp.server", BadStatusLine("nonsense"))
    failed("aiohttp.server", ConnectionResetError("gone"))
    assert lines(capsys) == []
    failed("aiohttp.server", KeyError("a bug"))
    assert len(lines(capsys)) == 1
