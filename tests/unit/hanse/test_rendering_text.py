"""Renderings as people see them: YAML that reads the same, and changes one a line."""

from typing import Any

import yaml

from hanse.texts.rendering import as_changes, as_manifests
from shared.events.rendering import ClusterRendering, FieldChange, Rendering, RuleEffect

TEXT = "region: eu\nhosts:\n- a\n"
MANIFEST: dict[str, Any] = {"kind": "ConfigMap", "data": {"b": TEXT, "a": " x \n\ty", "y": "no"}}


def _rule(*changes: FieldChange) -> RuleEffect:
    return RuleEffect(
        kind="OverridePolicy",
        namespace="shop",
        policy="p",
        rule="overrideRules[0]",
        changes=changes,
    )


def _rendering(**given: Any) -> Rendering:
    return Rendering(clusters=(ClusterRendering(**{"cluster": "eu-1", "decided": True, **given}),))


def test_a_manifest_is_yaml_with_its_origin_in_comments() -> None:
    change = FieldChange(path="/data/b", before="", after=TEXT)
    shown = as_manifests(_rendering(manifest=MANIFEST, replicas=2, rules=(_rule(change),)))
    assert yaml.safe_load(shown) == MANIFEST
    assert shown.splitlines()[:4] == [
        "---",
        "# eu-1, 2 replicas",
        "# OverridePolicy shop/p overrideRules[0] changes /data/b",
        "kind: ConfigMap",
    ]
    assert "  b: |\n    region: eu\n    hosts:\n    - a\n" in shown


def test_many_changes_are_counted() -> None:
    changes = [FieldChange(path=f"/{number}", after=1) for number in range(8)]
    shown = as_manifests(_rendering(manifest=MANIFEST, rules=(_rule(*changes),)))
    assert "changes /0, /1, /2, /3, /4, and 3 more\n" in shown


def test_changes_are_shown_one_a_line() -> None:
    changes = (
        FieldChange(path="/a", after={"x": 1}),
        FieldChange(path="/b", before="1", after=2),
        FieldChange(path="/c", before=None),
    )
    found = _rendering(decided=False, rules=(_rule(*changes), _rule()), error="it failed")
    assert as_manifests(found) == ""
    assert as_changes(found).splitlines() == [
        "eu-1, not in the decision",
        "  OverridePolicy shop/p overrideRules[0]",
        '    + /a: {"x":1}',
        '    ~ /b: "1" -> 2',
        "    - /c: null",
        "  OverridePolicy shop/p overrideRules[0]",
        "    changes nothing",
        "  failed: it failed",
    ]
    assert as_changes(_rendering(manifest=MANIFEST)) == "eu-1\n  no override\n"
