"""Files for `hanse render`: any number of objects, in YAML or JSON."""

from pathlib import Path

import pytest

from hanse.files import read_files
from shared.errors import InvalidObject


def test_documents_and_lists_are_opened(tmp_path: Path) -> None:
    one, two = tmp_path / "one.yaml", tmp_path / "two.json"
    one.write_text("kind: A\n---\n---\nkind: ConfigMapList\nitems: [{kind: B}, {kind: C}]\n")
    two.write_text('{"kind": "D"}')
    assert [each["kind"] for each in read_files([one, two])] == ["A", "B", "C", "D"]


@pytest.mark.parametrize("text", ["a: [", "- 1", "text", "kind: List\nitems: [1]"])
def test_what_holds_no_objects_is_told_with_its_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(InvalidObject, match=r"wrong\.yaml"):
        read_files([path])
