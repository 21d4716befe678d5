"""The ready-made interpreters, over objects as their projects' controllers leave them."""

from pathlib import Path

import pytest
import yaml

from shared.api.meta import read
from shared.apimachinery.manifest import GroupVersionKind
from shared.apiserver.rules.interpreters import check_interpreter
from shared.interpreter.cases import Case, CaseFile, surprises
from shared.interpreter.known import known_declarations, known_documents
from shared.interpreter.registry import read_declaration, ready_made

_FOLDER = Path(__file__).parent / "known"
CASES = [
    pytest.param(case, id=f"{file.stem}: {case.name}")
    for file in sorted(_FOLDER.glob("*.yaml"))
    for case in read(yaml.safe_load(file.read_text()), CaseFile).tests
]


@pytest.mark.parametrize("case", CASES)
def test_it_answers_as_expected(case: Case) -> None:
    assert case.expect
    assert surprises(ready_made().of(case.object), case) == []


def test_every_one_is_told_by_some_object() -> None:
    told = set()
    for parameters in CASES:
        (case,) = parameters.values
        assert isinstance(case, Case)
        gvk = GroupVersionKind.of(case.object)
        told.add((gvk.group, gvk.kind))
    declared = {read_declaration(one).kind for one in known_declarations()}
    assert declared == told


def test_each_may_be_applied_as_a_users_own() -> None:
    for declaration in known_declarations():
        assert check_interpreter(declaration) == []
        kind, plural = declaration.spec.target.kind, declaration.metadata.name.partition(".")[0]
        assert plural.startswith(kind.lower()[:-1])
    names = [document["metadata"]["name"] for document in known_documents()]
    assert len(names) == len(set(names))
