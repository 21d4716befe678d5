"""What the documents say is what the code says."""

import ast
import re
from pathlib import Path

import pytest

from shared.bus import topology

ROOT = Path(__file__).parents[2]
COLUMNS = ("owns", "reads", "consumes", "publishes")


def _table(document: str, heading: str) -> dict[str, list[str]]:
    """The rows of the first table under a line that starts with *heading*, by first cell."""
    lines = iter(document.splitlines())
    for line in lines:
        if line.startswith(heading):
            break
    next(lines)
    rows: dict[str, list[str]] = {}
    for line in lines:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rows[cells[0]] = cells[1:]
    return rows


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()
SERVICES = _table(ARCHITECTURE, "| service | owns")


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_the_table_of_services_agrees_with_their_docstrings(service: str) -> None:
    source = (ROOT / "services" / service / "__init__.py").read_text()
    docstring = ast.get_docstring(ast.parse(source)) or ""
    said = dict(re.findall(r"^(owns|reads|consumes|publishes): (.+)$", docstring, re.MULTILINE))
    assert [said.get(column, "") for column in COLUMNS] == SERVICES[service]


def test_every_service_is_in_the_table() -> None:
    folders = {path.parent.name for path in (ROOT / "services").glob("*/__init__.py")}
    assert folders == set(SERVICES)


def test_every_stream_is_in_the_document() -> None:
    streams = {name.strip("`") for name in _table(ARCHITECTURE, "| stream | subjects")}
    assert streams == {stream.name for stream in topology.STREAMS}


def test_decisions_are_numbered_without_gaps_or_doubles() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    numbers = [int(record.name.partition("-")[0]) for record in records]
    assert numbers == list(range(1, len(records) + 1))
    for number, record in zip(numbers, records, strict=True):
        assert record.read_text().startswith(f"# {number}. "), record.name


PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


COMPLAINTS = (ROOT / "docs" / "complaints.md").read_text()


def test_every_complaint_has_a_row() -> None:
    numbers = re.findall(r"^\| (\d+) \|", COMPLAINTS, re.MULTILINE)
    assert numbers == [str(number) for number in range(1, 41)]


def test_the_tests_that_answer_complaints_are_there() -> None:
    for name, path in re.findall(r"\[`(\w+)`\]\(\.\./([^)]+)\)", COMPLAINTS):
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path} has no {name}"


def test_every_test_of_a_complaint_is_told_of() -> None:
    for module in sorted((ROOT / "tests" / "complaints").glob("test_*.py")):
        for name in re.findall(r"def (test_\w+)\(", module.read_text()):
            assert name in COMPLAINTS, f"{module.name}: {name}"
