"""Validation rules: what they see, what they say, and when they are asked at all."""

from typing import Any

import pytest

from shared.apimachinery.schema import node
from shared.apimachinery.schema_rules import rule_faults
from shared.errors import FieldError


def faults(
    rule: dict[str, Any] | str,
    spec: Any,
    old: Any = None,
    *,
    properties: dict[str, Any] | None = None,
    found: list[FieldError] | None = None,
) -> list[str]:
    """Judge `spec`, whose schema is an object with *rule*."""
    raw = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "x-kubernetes-validations": [{"rule": rule} if isinstance(rule, str) else rule],
                "properties": properties or PROPERTIES,
            }
        },
    }
    before = None if old is None else {"spec": old}
    return [str(one) for one in rule_faults({"spec": spec}, node(raw), before, found or [])]


PROPERTIES = {
    "least": {"type": "integer"},
    "most": {"type": "integer"},
    "share": {"type": "number"},
    "name": {"type": "string"},
    "names": {"type": "array", "items": {"type": "string"}},
    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    "port": {"x-kubernetes-int-or-string": True},
    "namespace": {"type": "string"},
    "x-part.of/it": {"type": "string"},
    "when": {"type": "string", "format": "date-time"},
    "wait": {"type": "string", "format": "duration"},
    "raw": {"type": "string", "format": "byte"},
}


def test_a_rule_that_fails_says_its_message_or_itself():
    assert faults("self.least <= self.most", {"least": 1, "most": 2}) == []
    assert faults("self.least <= self.most", {"least": 3, "most": 2}) == [
        "spec: Invalid value: failed rule: self.least <= self.most"
    ]
    said = {"rule": "self.least <= self.most", "message": " least is above most\n"}
    assert faults(said, {"least": 3, "most": 2}) == ["spec: Invalid value: least is above most"]


def test_a_message_expression_is_preferred_unless_it_says_nothing():
    rule = {"rule": "self.least < 2", "message": "plain"}
    computed = {**rule, "messageExpression": "'%d is too much'.format([self.least])"}
    assert faults(computed, {"least": 3}) == ["spec: Invalid value: 3 is too much"]
    empty = {**rule, "messageExpression": "''"}
    assert faults(empty, {"least": 3}) == ["spec: Invalid value: plain"]
    failing = {**rule, "messageExpression": "self.name"}
    assert faults(failing, {"least": 3}) == ["spec: Invalid value: plain"]


def test_reason_and_path_are_the_rules_own():
    rule = {"rule": "false", "message": "no", "reason": "FieldValueForbidden", "fieldPath": ".name"}
    assert faults(rule, {"name": "a"}) == ["spec.name: Forbidden: no"]
    assert faults({**rule, "reason": "FieldValueRequired"}, {}) == ["spec.name: Required value: no"]


@pytest.mark.parametrize(
    "rule",
    [
        "self.__namespace__ == 'a'",
        "self.x__dash__part__dot__of__slash__it == 'b'",
        "self.share == 2.0 && type(self.share) == double",
        "self.share > 1",
        "self.port == 80 || self.port == 'http'",
        "self.when < timestamp('2031-01-01T00:00:00Z') && self.when.getFullYear() == 2030",
        "self.wait > duration('1h') && self.wait < duration('2h')",
        "self.raw == b'ab'",
        "self.names.all(n, n.startsWith('n')) && self.names.exists_one(n, n == 'n1')",
        "self.labels.all(k, self.labels[k] != '')",
        "'tier' in self.labels && !has(self.most)",
        "self.?most.orValue(7) == 7",
        "size(self.names) == 2 && self.names.map(n, n.upperAscii()).join('-') == 'N1-N2'",
        "quantity('1Gi').isGreaterThan(quantity('1000Mi'))",
        "cidr('10.0.0.0/8').containsIP(ip('10.1.2.3')) && !isIP('10.0.0')",
        "url('https://a.example:8443/p?q=1').getPort() == '8443'",
        "'a1b22'.findAll('[0-9]+') == ['1', '22'] && 'a1'.find('[0-9]') == '1'",
        "[3, 1, 2].max() == 3 && [1, 2].sum() == 3 && [1, 2].isSorted()",
        "['a', 'b'].indexOf('b') == 1 && 'abc'.indexOf('c') == 2",
        "self.names.all(i, n, i < 2) && self.names.transformList(i, n, i + 1) == [1, 2]",
        "[3, 1, 1].sort() == [1, 1, 3] && [3, 1, 3].distinct() == [3, 1]",
        "sets.contains(['a', 'b'], ['b']) && sets.equivalent([1, 2], [2, 1])",
        "semver('1.10.0').isGreaterThan(semver('1.9.9')) && semver('1.0.0').major() == 1",
    ],
)
def test_a_rule_sees_values_as_they_are_declared(rule):
    spec = {
        "namespace": "a",
        "x-part.of/it": "b",
        "share": 2,
        "port": "http",
        "when": "2030-05-01T00:00:00Z",
        "wait": "1h30m",
        "raw": "YWI=",
        "names": ["n1", "n2"],
        "labels": {"tier": "gold"},
    }
    assert faults(rule, spec) == []
    assert faults(f"!({rule})", spec) == [f"spec: Invalid value: failed rule: !({rule})"]


def test_what_cannot_be_evaluated_is_a_fault_that_says_why():
    assert faults("self.least > 1", {}) == [
        'spec: Invalid value: "object": no such key: least evaluating rule: self.least > 1'
    ]
    (said,) = faults("self.port > 1", {"port": "http"})
    assert said.startswith("spec: Invalid value: \"object\": 'no such overload': call arguments")
    (said,) = faults("quantity(self.name).sign() > 0", {"name": "much"})
    assert "'much' is not a quantity" in said


def test_a_transition_is_judged_only_where_there_was_something():
    rule = "self.name == oldSelf.name"
    assert faults(rule, {"name": "a"}) == []
    assert faults(rule, {"name": "a"}, {"name": "a"}) == []
    assert faults(rule, {"name": "b"}, {"name": "a"}) == [
        f"spec: Invalid value: failed rule: {rule}"
    ]
    # The word alone is no transition.
    assert faults("self.name != 'oldSelf'", {"name": "oldSelf"}) != []


def test_an_optional_old_value_is_asked_for_in_any_case():
    rule = {
        "rule": "oldSelf.hasValue() ? self.least >= oldSelf.value().least : self.least == 0 // x",
        "optionalOldSelf": True,
    }
    assert faults(rule, {"least": 0}) == []
    assert len(faults(rule, {"least": 1})) == 1
    assert faults(rule, {"least": 2}, {"least": 1}) == []
    assert len(faults(rule, {"least": 1}, {"least": 2})) == 1


def test_what_did_not_change_is_not_judged_again():
    rule = "self.least < 2"
    assert faults(rule, {"least": 3}, {"least": 3}) == []
    assert len(faults(rule, {"least": 3, "name": "a"}, {"least": 3})) == 1


def test_elements_of_a_list_that_is_a_map_keep_their_past():
    element = {
        "type": "object",
        "properties": {
            "key": {"type": "string"},
            "size": {"type": "integer", "x-kubernetes-validations": [{"rule": "self >= oldSelf"}]},
        },
    }
    listed = {
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["key"],
        "items": element,
    }
    old = {"parts": [{"key": "a", "size": 2}, {"key": "b", "size": 5}]}
    new = {"parts": [{"key": "b", "size": 4}, {"key": "a", "size": 3}, {"key": "c", "size": 0}]}
    assert faults("true", new, old, properties={"parts": listed}) == [
        "spec.parts[0].size: Invalid value: 4: failed rule: self >= oldSelf"
    ]


def test_an_object_of_the_wrong_shape_is_not_shown_to_rules():
    wrong = FieldError("spec.least", "Required value", "FieldValueRequired")
    (said,) = faults("self.least > 1", {}, found=[wrong])
    assert said.startswith("Invalid value: null: some validation rules were not checked")


def test_no_rule_runs_away():
    names = {"names": [str(number) for number in range(400)]}
    nested = "self.names.all(a, self.names.all(b, self.names.all(c, a + b + c != '')))"
    (said,) = faults(nested, names)
    assert "cost exceeds limit" in said
    numbers = [str(number) for number in range(2_000)]
    (said,) = faults("self.names.all(n, self.names.sort().size() > 0)", {"names": numbers})
    assert "running out of cost budget" in said
    long = {"name": "x" * 100_000, "names": ["y"] * 5_000}
    (said,) = faults("self.names.map(n, self.name + self.name).size() > 0", long)
    assert "running out of cost budget" in said
    (said,) = faults("self.name.replace('', self.name) != ''", long)
    assert "would be made" in said
