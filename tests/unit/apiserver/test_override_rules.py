"""What can be told of an override policy without an object is told when it is written."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.api.meta import read
from shared.api.override import OverridePolicy
from shared.apiserver.rules.overrides import check_override

DIGEST = "sha256:" + "0" * 64


def faults(**spec: Any) -> list[str]:
    return [str(one) for one in check_override(read({"spec": spec}, OverridePolicy))]


def faults_of(**overriders: Any) -> list[str]:
    path = "spec.overrideRules[0].overriders."
    found = faults(overrideRules=[{"overriders": overriders}])
    assert all(one.startswith(path) for one in found)
    return [one.removeprefix(path) for one in found]


IMAGE = {"component": "Tag", "operator": "replace", "value": "1"}
WORDS = {"containerName": "web", "operator": "add", "value": ["x"]}
ENV = {"containerName": "*", "operator": "add", "value": [{"name": "A", "value": "b"}]}
REPLACE = {"path": "/spec/a", "operator": "replace", "value": 1}
WITHIN = {"subPath": "/a", "operator": "replace", "value": 1}


@pytest.mark.parametrize(
    "overriders",
    [
        {"imageOverrider": [IMAGE, {**IMAGE, "value": DIGEST}, {**IMAGE, "value": f"@{DIGEST}"}]},
        {"imageOverrider": [{**IMAGE, "value": "v-${cluster.labels.tier}"}]},
        {"imageOverrider": [{**IMAGE, "component": "Registry", "operator": "remove"}]},
        {"imageOverrider": [{**IMAGE, "component": "Registry", "value": "r.example:5000/hub"}]},
        {"imageOverrider": [{**IMAGE, "component": "Registry", "operator": "add", "value": ".eu"}]},
        {"imageOverrider": [{**IMAGE, "predicate": {"path": "/spec/image"}}]},
        {"commandOverrider": [WORDS], "argsOverrider": [{**WORDS, "containerName": "*"}]},
        {"envOverrider": [ENV, {**ENV, "operator": "remove", "value": [{"name": "A"}]}]},
        {"envOverrider": [{**ENV, "value": [{"name": "E", "value": ""}]}]},
        {
            "envOverrider": [
                {
                    **ENV,
                    "value": [
                        {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
                    ],
                }
            ]
        },
        {"labelsOverrider": [{"operator": "add", "value": {"a": "${cluster.region}"}}]},
        {"annotationsOverrider": [{"operator": "remove", "value": {"a.example/B": ""}}]},
        {"fieldOverrider": [{"fieldPath": "/data/a.json", "json": [WITHIN]}]},
        {"backendOverrider": [{"service": "shop", "backends": [{"name": "s", "port": 80}]}]},
        {"fieldOverrider": [{"fieldPath": "/data/a~1b", "yaml": [{**WITHIN, "subPath": ""}]}]},
        {"variablesOverrider": [{"path": "/data"}]},
        {"plaintext": [REPLACE, {"path": "/metadata/name", "operator": "test", "value": "x"}]},
        {"plaintext": [{"path": "/metadata/labels/a", "operator": "add", "value": "$${cluster.x"}]},
        {"plaintext": [{"path": "/spec/l/-", "operator": "copy", "from": "/metadata/name"}]},
    ],
)
def test_what_can_be_meant_is_taken(overriders: dict[str, Any]) -> None:
    assert faults_of(**overriders) == []


@pytest.mark.parametrize(
    ("overriders", "fault"),
    [
        ({"imageOverrider": [{**IMAGE, "value": ""}]}, "imageOverrider[0].value: Required"),
        ({"imageOverrider": [{**IMAGE, "value": "a b"}]}, "imageOverrider[0].value: Invalid"),
        ({"imageOverrider": [{**IMAGE, "value": "sha256:1"}]}, "imageOverrider[0].value: Invalid"),
        (
            {"imageOverrider": [{**IMAGE, "operator": "add", "value": DIGEST}]},
            "imageOverrider[0].value: Invalid",
        ),
        (
            {"imageOverrider": [{**IMAGE, "component": "Repository", "operator": "remove"}]},
            "imageOverrider[0].operator: Forbidden",
        ),
        (
            {"imageOverrider": [{**IMAGE, "predicate": {"path": "spec/image"}}]},
            "imageOverrider[0].predicate.path: Invalid",
        ),
        (
            {"imageOverrider": [{**IMAGE, "predicate": {"path": "/spec/l/-/image"}}]},
            "imageOverrider[0].predicate.path: Invalid",
        ),
        ({"argsOverrider": [{**WORDS, "value": []}]}, "argsOverrider[0].value: Required"),
        (
            {"commandOverrider": [{**WORDS, "containerName": ""}]},
            "commandOverrider[0].containerName: Required",
        ),
        (
            {"commandOverrider": [{**WORDS, "containerName": "We b"}]},
            "commandOverrider[0].containerName: Invalid",
        ),
        (
            {"argsOverrider": [{**WORDS, "value": ["a", "${cluster.nme}"]}]},
            "argsOverrider[0].value[1]: Invalid",
        ),
        ({"envOverrider": [{**ENV, "value": []}]}, "envOverrider[0].value: Required"),
        (
            {"envOverrider": [{**ENV, "value": [{"name": "a=b"}]}]},
            "envOverrider[0].value[0].name: Invalid",
        ),
        (
            {"envOverrider": [{**ENV, "value": [{"name": "A"}, {"name": "A"}]}]},
            "envOverrider[0].value[1].name: Duplicate",
        ),
        (
            {"envOverrider": [{**ENV, "operator": "remove"}]},
            "envOverrider[0].value[0]: Forbidden",
        ),
        (
            {"envOverrider": [{**ENV, "value": [{"name": "A", "valueFrom": {}}]}]},
            "envOverrider[0].value[0].valueFrom: Invalid",
        ),
        (
            {"labelsOverrider": [{"operator": "add", "value": {"a b": "c"}}]},
            "labelsOverrider[0].value: Invalid",
        ),
        (
            {"labelsOverrider": [{"operator": "add", "value": {"a": "b c"}}]},
            "labelsOverrider[0].value: Invalid",
        ),
        (
            {"annotationsOverrider": [{"operator": "add", "value": {"a": "${cluster.x}"}}]},
            "annotationsOverrider[0].value.a: Invalid",
        ),
        ({"fieldOverrider": [{"fieldPath": "/data/a"}]}, "fieldOverrider[0]: Required"),
        (
            {"backendOverrider": [{"service": "shop", "backends": []}]},
            "backendOverrider[0].backends: Invalid",
        ),
        (
            {"backendOverrider": [{"service": "A.b", "backends": [{"name": "s", "port": 80}]}]},
            "backendOverrider[0].service: Invalid",
        ),
        (
            {"backendOverrider": [{"service": "shop", "backends": [{"name": "s", "port": 0}]}]},
            "backendOverrider[0].backends[0].port: Invalid",
        ),
        (
            {"fieldOverrider": [{"fieldPath": "/data/a", "json": [WITHIN], "yaml": [WITHIN]}]},
            "fieldOverrider[0]: Forbidden",
        ),
        (
            {"fieldOverrider": [{"fieldPath": "data", "json": [WITHIN]}]},
            "fieldOverrider[0].fieldPath: Invalid",
        ),
        (
            {"fieldOverrider": [{"fieldPath": "/d", "json": [{**WITHIN, "subPath": "a"}]}]},
            "fieldOverrider[0].json[0].subPath: Invalid",
        ),
        (
            {"fieldOverrider": [{"fieldPath": "/d", "yaml": [{**WITHIN, "value": None}]}]},
            "fieldOverrider[0].yaml[0].value: Required",
        ),
        (
            {"fieldOverrider": [{"fieldPath": "/d", "yaml": [{**WITHIN, "operator": "remove"}]}]},
            "fieldOverrider[0].yaml[0].value: Forbidden",
        ),
        (
            {
                "fieldOverrider": [
                    {"fieldPath": "/d", "json": [{**WITHIN, "value": "${cluster.x}"}]}
                ]
            },
            "fieldOverrider[0].json[0].value: Invalid",
        ),
        ({"variablesOverrider": [{"path": ""}]}, "variablesOverrider[0].path: Invalid"),
        ({"plaintext": [{**REPLACE, "path": "/a~2"}]}, "plaintext[0].path: Invalid"),
        ({"plaintext": [{**REPLACE, "path": "/metadata"}]}, "plaintext[0].path: Forbidden"),
        ({"plaintext": [{**REPLACE, "path": "/metadata/uid"}]}, "plaintext[0].path: Forbidden"),
        ({"plaintext": [{**REPLACE, "path": "/status/a"}]}, "plaintext[0].path: Forbidden"),
        ({"plaintext": [{**REPLACE, "path": "/spec/-"}]}, "plaintext[0].path: Invalid"),
        ({"plaintext": [{**REPLACE, "path": "/spec/-/a"}]}, "plaintext[0].path: Invalid"),
        ({"plaintext": [{**REPLACE, "value": None}]}, "plaintext[0].value: Required"),
        ({"plaintext": [{**REPLACE, "from": "/a"}]}, "plaintext[0].from: Forbidden"),
        (
            {"plaintext": [{"path": "/a", "operator": "move", "from": "/metadata/name"}]},
            "plaintext[0].from: Forbidden",
        ),
        ({"plaintext": [{"path": "/a", "operator": "copy"}]}, "plaintext[0].from: Invalid"),
        (
            {"plaintext": [{"path": "/spec/a/b", "operator": "move", "from": "/spec/a"}]},
            "plaintext[0].from: Invalid",
        ),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(
    overriders: dict[str, Any], fault: str
) -> None:
    assert [one[: len(fault)] for one in faults_of(**overriders)] == [fault]


def test_every_fault_is_told_at_once() -> None:
    rules = [{"overriders": {}}, {"overriders": {"plaintext": [{**REPLACE, "path": "x"}] * 2}}]
    assert [one.partition(": ")[0] for one in faults(overrideRules=rules)] == [
        "spec.overrideRules[0].overriders",
        "spec.overrideRules[1].overriders.plaintext[0].path",
        "spec.overrideRules[1].overriders.plaintext[1].path",
    ]


def test_the_older_form_is_taken_alone() -> None:
    older = {"targetCluster": {"clusterNames": ["eu-1"]}, "overriders": {"plaintext": [REPLACE]}}
    assert faults(**older) == []
    # As clients that know the newer form only write the older one's required field.
    assert faults(overrideRules=[{"overriders": older["overriders"]}], overriders={}) == []
    both = faults(overrideRules=[{"overriders": older["overriders"]}], **older)
    assert [one.partition(": ")[0] for one in both] == ["spec.targetCluster", "spec.overriders"]
    wrong = {"overriders": {"plaintext": [{**REPLACE, "path": "x"}]}}
    assert faults(**wrong)[0].startswith("spec.overriders.plaintext[0].path: ")
    assert faults()[0].startswith("spec.overrideRules: Required")


def _published() -> list[Any]:
    """Override policies in the examples and in the documents."""
    root = Path(__file__).parents[3]
    written = [path.read_text() for path in (root / "examples").glob("*.yaml")]
    documents = [path.read_text() for path in (root / "docs").glob("*.md")]
    written += [
        one for text in documents for one in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    ]
    found = [one for text in written for one in yaml.safe_load_all(text) if one]
    return [one for one in found if one.get("kind", "").endswith("OverridePolicy")]


@pytest.mark.parametrize("manifest", _published(), ids=lambda one: str(one["metadata"]["name"]))
def test_what_is_shown_to_people_is_right(manifest: Any) -> None:
    assert check_override(read(manifest, OverridePolicy)) == []
