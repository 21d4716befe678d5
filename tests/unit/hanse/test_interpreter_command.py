"""`hanse interpreter test`, over files alone."""

import json
from pathlib import Path
from typing import Any

import pytest

from hanse.__main__ import main

INTERPRETER = """
apiVersion: hanse.dev/v1alpha1
kind: ResourceInterpreter
metadata: {name: widgets}
spec:
  target: {apiVersion: acme.example/v1, kind: Widget}
  customizations:
    replicaResource: {replicasPath: spec.size}
    healthInterpretation: {healthy: %s}
---
"""
OBJECT = """
apiVersion: acme.example/v1
kind: Widget
metadata: {name: w, namespace: shop, creationTimestamp: 2026-11-01T10:00:00Z}
spec: {size: 3}
status: {ready: true}
"""
TESTS = """
tests:
- name: it is ready
  object: {apiVersion: acme.example/v1, kind: Widget, spec: {size: 2}, status: {ready: true}}
  replicas: 1
  expect: {healthInterpretation: %s, replicaRevision: {spec: {size: 1}}}
---
"""
SOUND = INTERPRETER % "object.status.ready"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def written(text: str) -> str:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.yaml"
        path.write_text(text)
        return str(path)

    return written


def test_an_object_is_answered_operation_by_operation(write: Any, capsys: Any) -> None:
    files = ["-f", write(SOUND), "-f", write(OBJECT)]
    assert main(["interpreter", "test", *files, "--json", "--replicas", "7"]) == 0
    told = json.loads(capsys.readouterr().out)
    (found,) = told["objects"]
    assert found["object"] == "Widget shop/w"
    assert found["answers"]["healthInterpretation"] == "Healthy"
    assert found["answers"]["replicaResource"] == {"replicas": 3, "requests": {}}
    assert found["answers"]["replicaRevision"]["spec"] == {"size": 7}
    assert len(found["answers"]) == 7


def test_without_an_interpreter_the_ready_made_answer(write: Any, capsys: Any) -> None:
    rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r}\n"
    options = ["--operation", "healthInterpretation"]
    assert main(["interpreter", "test", "-f", write(rollout), *options]) == 0
    assert capsys.readouterr().out.split() == [
        "Rollout",
        "r:",
        "healthInterpretation",
        "Progressing",
    ]


@pytest.mark.parametrize(
    ("expected", "status", "words"),
    [("Healthy", 0, "1 passed, 0 failed"), ("Degraded", 1, "expected 'Degraded'")],
)
def test_the_exit_status_tells_whether_tests_hold(
    write: Any, capsys: Any, expected: str, status: int, words: str
) -> None:
    assert main(["interpreter", "test", "-f", write(SOUND + TESTS % expected)]) == status
    assert words in capsys.readouterr().out


def test_an_answer_that_cannot_be_given_fails(write: Any, capsys: Any) -> None:
    text = INTERPRETER % "object.status.colour" + OBJECT
    assert main(["interpreter", "test", "-f", write(text)]) == 1
    assert "no such key: colour" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (INTERPRETER % "object.(", "spec.customizations.healthInterpretation.healthy"),
        ("a: [", "is no YAML"),
        ("a: .nan\n? [1]\n: 2", "is no YAML"),
        ("7", "is no object"),
        ("metadata: {}", "has no apiVersion and kind, nor tests"),
        ("tests: [{object: 7}]", "tests[0].object"),
        ("tests: [{object: {}, expected: {}}]", "unknown field"),
        ("", "nothing to test"),
    ],
)
def test_what_cannot_be_read_is_said(write: Any, capsys: Any, text: str, words: str) -> None:
    assert main(["interpreter", "test", "-f", write(text)]) == 2
    assert words in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said(tmp_path: Path, capsys: Any) -> None:
    assert main(["interpreter", "test", "-f", str(tmp_path / "none.yaml")]) == 2
    assert "none.yaml" in capsys.readouterr().err
