"""Renderings for people: manifests as YAML, or what each rule changed."""

from collections.abc import Iterator

import msgspec
import yaml
from msgspec import UNSET

from shared.apimachinery.manifest import Manifest
from shared.events.rendering import ClusterRendering, FieldChange, Rendering, RuleEffect


def as_manifests(found: Rendering) -> str:
    """One YAML document for each cluster, with what it is in comments before it."""
    return "".join(_document(one) for one in found.clusters if one.manifest is not None)


def as_changes(found: Rendering) -> str:
    """What each rule changed in each cluster, field by field."""
    return "".join(f"{line}\n" for one in found.clusters for line in _changes(one))


def _document(one: ClusterRendering) -> str:
    lines = ["---", f"# {_headline(one)}", *(f"# {_summary(rule)}" for rule in one.rules)]
    assert one.manifest is not None, "the caller leaves out what there is not"
    return "".join(f"{line}\n" for line in lines) + _yaml(one.manifest)


class _Dumper(yaml.CSafeDumper):
    """Writes texts of several lines as such: they are what ConfigMaps are made of."""


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _yaml(manifest: Manifest) -> str:
    written: str = yaml.dump(
        manifest,
        Dumper=_Dumper,
        allow_unicode=True,
        default_flow_style=False,
        sort_keys=False,
        width=2**31 - 1,
    )
    return written


def _headline(one: ClusterRendering) -> str:
    parts = [one.cluster]
    if not one.decided:
        parts.append("not in the decision")
    if one.replicas is not None:
        parts.append(f"{one.replicas} replicas" if one.replicas != 1 else "1 replica")
    return ", ".join(parts)


def _summary(rule: RuleEffect) -> str:
    count = len(rule.changes)
    changes = "changes nothing" if not count else f"changes {', '.join(_places(rule))}"
    return f"{_rule(rule)} {changes}"


def _rule(rule: RuleEffect) -> str:
    policy = f"{rule.namespace}/{rule.policy}" if rule.namespace else rule.policy
    return f"{rule.kind} {policy} {rule.rule}"


_PLACES_MAX = 5


def _places(rule: RuleEffect) -> Iterator[str]:
    for change in rule.changes[:_PLACES_MAX]:
        yield change.path
    if len(rule.changes) > _PLACES_MAX:
        yield f"and {len(rule.changes) - _PLACES_MAX} more"


def _changes(one: ClusterRendering) -> Iterator[str]:
    yield _headline(one)
    if not one.rules and not one.error:
        yield "  no override"
    for rule in one.rules:
        yield f"  {_rule(rule)}"
        if not rule.changes:
            yield "    changes nothing"
        for change in rule.changes:
            yield f"    {_change(change)}"
    if one.error:
        yield f"  failed: {one.error}"


def _change(change: FieldChange) -> str:
    if change.before is UNSET:
        return f"+ {change.path}: {_json(change.after)}"
    if change.after is UNSET:
        return f"- {change.path}: {_json(change.before)}"
    return f"~ {change.path}: {_json(change.before)} -> {_json(change.after)}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
