"""What a user's ResourceInterpreter says of objects, and what is wrong with one."""

from typing import Any

import pytest

from shared.api.binding import ClusterReport
from shared.api.interpreter import ResourceInterpreter
from shared.api.meta import read
from shared.apimachinery.manifest import Manifest, copy
from shared.apiserver.rules.interpreters import check_interpreter
from shared.errors import InvalidObject
from shared.interpreter.interpreter import Interpreter
from shared.interpreter.registry import BUILT_IN, Interpreters, read_declaration
from shared.interpreter.reports import gather_reports


def declare(name: str = "widgets", labels: dict[str, str] | None = None, **parts: Any) -> Any:
    target: dict[str, Any] = {"apiVersion": "acme.example/v1", "kind": "Widget"}
    if labels is not None:
        target["labelSelector"] = {"matchLabels": labels}
    manifest = {
        "metadata": {"name": name},
        "spec": {"target": target, "customizations": parts},
    }
    return read(manifest, ResourceInterpreter)


def interpreter(**parts: Any) -> Interpreter:
    return read_declaration(declare(**parts)).interpreter


def a_widget(**sections: Any) -> Manifest:
    metadata = {"name": "w", "namespace": "shop", "generation": 3}
    return {"apiVersion": "acme.example/v1", "kind": "Widget", "metadata": metadata, **sections}


POD = {
    "spec": {
        "containers": [
            {
                "name": "c",
                "resources": {"requests": {"cpu": "500m"}},
                "envFrom": [{"configMapRef": {"name": "settings"}}],
            }
        ]
    }
}


def test_replicas_are_read_and_written_where_it_says() -> None:
    found = interpreter(
        replicaResource={
            "replicasPath": "spec.group.size",
            "defaultReplicas": 2,
            "podTemplatePath": "spec.group.pod",
        }
    )
    widget = a_widget(spec={"group": {"size": 5, "pod": POD}})
    before = copy(widget)
    demand = found.demand(widget)
    assert demand is not None
    assert (demand.count, demand.requests) == (5, {"cpu": "500m"})
    assert found.with_replicas(widget, 1)["spec"]["group"]["size"] == 1
    assert widget == before
    empty = found.demand(a_widget(spec={}))
    assert empty is not None
    assert (empty.count, empty.requests) == (2, {})
    assert found.with_replicas(a_widget(), 4)["spec"] == {"group": {"size": 4}}
    with pytest.raises(InvalidObject, match=r"spec\.group\.size"):
        found.demand(a_widget(spec={"group": {"size": "many"}}))


def test_what_a_replica_needs_can_be_reckoned() -> None:
    found = interpreter(
        replicaResource={
            "replicasPath": "spec.size",
            "requests": "{'cpu': string(object.spec.threads), 'memory': '1024Mi'}",
        }
    )
    demand = found.demand(a_widget(spec={"size": 1, "threads": 2}))
    assert demand is not None
    assert demand.requests == {"cpu": "2", "memory": "1Gi"}
    with pytest.raises(InvalidObject, match="no such key: threads"):
        found.demand(a_widget(spec={"size": 1}))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({"phase": "Lost", "ready": True}, "Degraded"),
        ({"phase": "Fine", "ready": True}, "Healthy"),
        ({"phase": "Fine", "ready": False}, "Progressing"),
        ({"phase": "Lost", "ready": True, "observedGeneration": 2}, "Progressing"),
        ({"phase": "Lost", "ready": True, "observedGeneration": "3"}, "Degraded"),
    ],
)
def test_the_first_verdict_that_holds_decides(status: dict[str, Any], expected: str) -> None:
    found = interpreter(
        healthInterpretation={
            "degraded": "object.status.phase == 'Lost'",
            "healthy": "object.status.ready",
        }
    )
    assert found.health(a_widget(status=status)) == expected


def test_without_a_word_on_healthy_the_usual_conditions_decide() -> None:
    found = interpreter(healthInterpretation={"degraded": "has(object.status.lost)"})
    ready = {"conditions": [{"type": "Ready", "status": "False"}]}
    assert found.health(a_widget(status=ready)) == "Progressing"
    assert found.health(a_widget(status={**ready, "lost": 1})) == "Degraded"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("object.status.phase == 'x'", "no such key: phase"),
        ("object.status.number", "says neither true nor false"),
        ("object.spec.list.all(a, object.spec.list.all(b, a != b))", "cost"),
        (f"{'object.spec.list.all(x, ' * 3}true{')' * 3}", "Iteration budget exceeded"),
    ],
)
def test_what_cannot_be_told_says_why(text: str, why: str) -> None:
    found = interpreter(healthInterpretation={"healthy": text})
    names = [str(number) * 400_000 if "cost" in why else number for number in range(40)]
    widget = a_widget(spec={"list": names}, status={"number": 1})
    with pytest.raises(InvalidObject, match=f"interpreter widgets, .*: .*{why}"):
        found.health(widget)


def reports(*statuses: dict[str, Any], **known: Any) -> Any:
    found = [
        ClusterReport(cluster=name, applied=True, template_generation=3, status=status)
        for name, status in zip("abc", statuses, strict=False)
    ]
    return gather_reports(a_widget(spec={"size": 3}), found, **known)


def test_statuses_add_up_as_it_says() -> None:
    found = interpreter(
        statusAggregation={
            "sums": ["replicas", "parts.left"],
            "allOf": ["Ready"],
            "anyOf": ["Failed"],
            "fields": [
                {"path": "phase", "expression": "statuses.all(s, s.ok) ? 'Fine' : 'Poor'"},
                {"path": "of", "expression": "object.spec.size"},
                {"path": "where", "expression": "reports.filter(r, r.silent).map(r, r.cluster)"},
                {"path": "nothing", "expression": "null"},
            ],
        }
    )
    ready = {"conditions": [{"type": "Ready", "status": "True"}]}
    one = {"replicas": 2, "parts": {"left": 1}, "ok": True, **ready}
    two = {"replicas": 3, "parts": {"left": 4}, "ok": False, **ready}
    status = found.aggregate(reports(one, two, silent=["b"]))
    assert status is not None
    assert status.pop("conditions")[0]["status"] == "False"
    assert status == {
        "replicas": 5,
        "parts": {"left": 5},
        "phase": "Poor",
        "of": 3,
        "where": ["b"],
    }
    current = {"observedGeneration": 7, "generation": 7, "ok": True}
    status = found.aggregate(reports(current, current))
    assert status is not None
    assert status["observedGeneration"] == 3


def test_only_what_is_named_is_reported() -> None:
    found = interpreter(statusReflection={"fields": ["phase", "job.state", "conditions"]})
    status = {
        "phase": "Fine",
        "job": {"state": "Done", "log": "long"},
        "conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "now"}],
        "observedGeneration": 3,
        "noise": 1,
    }
    assert found.reflect(a_widget(status=status)) == {
        "phase": "Fine",
        "job": {"state": "Done"},
        "conditions": [{"type": "Ready", "status": "True"}],
        "observedGeneration": 3,
        "generation": 3,
    }
    assert found.reflect(a_widget()) == {}


def test_what_it_refers_to_is_found_in_pods_and_by_name() -> None:
    found = interpreter(
        dependencyInterpretation={
            "podTemplatePaths": ["spec.groups[*].template", "spec.roles.*.template"],
            "references": [
                {"apiVersion": "v1", "kind": "Secret", "path": "spec.keys[*].name"},
                {
                    "apiVersion": "acme.example/v1",
                    "kind": "Gadget",
                    "expression": "[object.metadata.name + '-gadget']",
                    "namespacePath": "spec.gadgets",
                },
            ],
        }
    )
    widget = a_widget(
        spec={
            "groups": [{"template": POD}, {"template": POD}],
            "roles": {"head": {"template": {"spec": {"serviceAccountName": "head"}}}},
            "keys": [{"name": "k"}, {"name": None}, {}],
            "gadgets": "elsewhere",
        }
    )
    assert [(one.kind, one.namespace, one.name) for one in found.dependencies(widget)] == [
        ("Gadget", "elsewhere", "w-gadget"),
        ("ConfigMap", "shop", "settings"),
        ("Secret", "shop", "k"),
        ("ServiceAccount", "shop", "head"),
    ]


def test_what_is_the_members_own_is_not_sent() -> None:
    found = interpreter(retention={"paths": ["spec.size", "spec.groups[*].size"]})
    widget = a_widget(spec={"size": 3, "groups": [{"size": 1, "name": "x"}, {"name": "y"}]})
    before = copy(widget)
    assert found.sent(widget)["spec"] == {"groups": [{"name": "x"}, {"name": "y"}]}
    assert widget == before
    bare = a_widget(spec={"colour": "red"})
    assert found.sent(bare) is bare


def test_the_closest_answer_counts_one_operation_at_a_time() -> None:
    ready = {"healthInterpretation": {"healthy": "true"}}
    lost = {"healthInterpretation": {"degraded": "true"}}
    sized = {"replicaResource": {"replicasPath": "spec.size"}}
    declared = [
        read_declaration(declare("b", **lost, **sized)),
        read_declaration(declare("a", **ready)),
        read_declaration(declare("z", {"tier": "gold"}, **lost)),
    ]
    registry = BUILT_IN.with_declared(declared)
    plain = a_widget(spec={"size": 4})
    gold = a_widget(spec={"size": 4})
    gold["metadata"]["labels"] = {"tier": "gold"}
    assert registry.of(plain).health(plain) == "Healthy"
    assert registry.of(gold).health(gold) == "Degraded"
    for widget in (plain, gold):
        demand = registry.of(widget).demand(widget)
        assert demand is not None
        assert demand.count == 4
    other = {**plain, "apiVersion": "acme.example/v2beta1"}
    assert registry.of(other).health(other) == "Healthy"
    foreign = {**plain, "apiVersion": "other.example/v1"}
    assert registry.of(foreign).demand(foreign) is None


def test_the_order_in_which_interpreters_come_does_not_count() -> None:
    one = read_declaration(declare("a", healthInterpretation={"healthy": "true"}))
    other = read_declaration(declare("b", healthInterpretation={"degraded": "true"}))
    for declared in ([one, other], [other, one]):
        registry = Interpreters({}, declared)
        assert registry.of(a_widget()).health(a_widget()) == "Healthy"


@pytest.mark.parametrize(
    ("parts", "path", "words"),
    [
        ({}, "spec.customizations", "at least one operation"),
        (
            {"replicaResource": {"replicasPath": "spec..size"}},
            "spec.customizations.replicaResource.replicasPath",
            "no path",
        ),
        (
            {"replicaResource": {"replicasPath": "spec.groups[*].size"}},
            "spec.customizations.replicaResource.replicasPath",
            "one place",
        ),
        (
            {"healthInterpretation": {"healthy": "object.status."}},
            "spec.customizations.healthInterpretation.healthy",
            "compilation failed: ERROR: <input>:1:15: Syntax error",
        ),
        (
            {"healthInterpretation": {"healthy": "self.status.ok"}},
            "spec.customizations.healthInterpretation.healthy",
            "undeclared reference to 'self'",
        ),
        (
            {"healthInterpretation": {"degraded": "'yes'"}},
            "spec.customizations.healthInterpretation.degraded",
            "must evaluate to a bool",
        ),
        ({"healthInterpretation": {}}, "spec.customizations.healthInterpretation", "Required"),
        (
            {"healthInterpretation": {"healthy": "true || " * 600 + "true"}},
            "spec.customizations.healthInterpretation.healthy",
            "no more than 4096",
        ),
        (
            {"healthInterpretation": {"healthy": f"{'cel.bind(a, true, ' * 9}a{')' * 9}"}},
            "spec.customizations.healthInterpretation.healthy",
            "cel.bind",
        ),
        (
            {"statusAggregation": {"fields": [{"path": "a", "expression": ""}]}},
            "spec.customizations.statusAggregation.fields[0].expression",
            "Required",
        ),
        (
            {"dependencyInterpretation": {"references": [{"apiVersion": "v1", "kind": "Secret"}]}},
            "spec.customizations.dependencyInterpretation.references[0]",
            "either path or expression",
        ),
        ({"retention": {"paths": []}}, "spec.customizations.retention.paths", "Required"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(parts: Any, path: str, words: str) -> None:
    faults = check_interpreter(declare(**parts))
    assert [fault.path for fault in faults] == [path]
    assert words in faults[0].message


def test_hanses_own_kinds_have_no_other_interpreter() -> None:
    target = {"apiVersion": "hanse.dev/v1alpha1", "kind": "Cluster"}
    customizations = {"healthInterpretation": {"healthy": "true"}}
    manifest = {"spec": {"target": target, "customizations": customizations}}
    faults = check_interpreter(read(manifest, ResourceInterpreter))
    assert [fault.path for fault in faults] == ["spec.target.apiVersion"]
