"""The option that writes goldens anew: `pytest tests/scenarios --update-golden`."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write what scenarios give as their golden"
    )
