"""A case of conformance as it stands in YAML: named steps, each a request and what must come back.

    subject: what the file is about
    cases:
    - name: a sentence that a real API server makes true
      steps:
      - post: /api/v1/namespaces/<ns>/configmaps
        body: {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
        expect: {code: 201, body: {metadata: {uid: !any }}}
        save: {version: metadata.resourceVersion}

`<ns>` is a namespace of the case's own, `<id>` letters of its own for names outside namespaces, and
what `save` has kept is put in the same way. README.md beside this file has the whole vocabulary.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.conformance.matching import (
    Absent,
    Anything,
    Contains,
    Exactly,
    Lacks,
    Length,
    Not,
    Pattern,
)

# How each verb of a step travels: method and media type of the body.
VERBS: Mapping[str, tuple[str, str]] = {
    "get": ("GET", ""),
    "head": ("HEAD", ""),
    "options": ("OPTIONS", ""),
    "post": ("POST", "application/json"),
    "put": ("PUT", "application/json"),
    "merge": ("PATCH", "application/merge-patch+json"),
    "strategic": ("PATCH", "application/strategic-merge-patch+json"),
    "json": ("PATCH", "application/json-patch+json"),
    "apply": ("PATCH", "application/apply-patch+yaml"),
    "delete": ("DELETE", "application/json"),
    "define": ("POST", "application/json"),
    "watch": ("GET", ""),
    "events": ("", ""),
    "ends": ("", ""),
}
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_PARTIAL = "application/json;as={};v=v1;g=meta.k8s.io"
ACCEPTED: Mapping[str, str] = {
    "json": "application/json",
    "yaml": "application/yaml",
    "table": _TABLE,
    "partial": _PARTIAL.format("PartialObjectMetadata"),
    "partial-list": _PARTIAL.format("PartialObjectMetadataList"),
}
_STEP_WORDS = frozenset(
    {*VERBS, "query", "body", "raw", "type", "accept", "headers", "manager", "force"}
    | {"expect", "save", "eventually", "as"}
)
_CASE_WORDS = frozenset({"name", "steps", "needs", "differs"})
_EXPECT_WORDS = frozenset({"code", "body", "headers", "warnings", "text"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request, or one look at an open watch."""

    verb: str
    path: str
    """Of the request; of `events` and `ends` the name of the watch."""

    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = ""
    body: Any = None
    raw: str | None = None
    """The body as text, where it is not to be JSON."""

    expect: Any = None
    """Of a request a mapping of code, body, headers, warnings, text; of `events` a list."""

    save: Mapping[str, str] = field(default_factory=dict)
    eventually: bool = False
    """Ask again until it comes true: another process of the server does it."""

    watch: str = ""
    """The name that a watch is opened under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One statement about an API server."""

    name: str
    file: str
    steps: Sequence[Step]
    needs_controllers: bool = False
    """Needs what a bare kube-apiserver lacks: garbage collection, emptying of namespaces."""

    differs: str = ""
    """Why Hanse does otherwise; the same words stand in docs/critique.md."""

    @property
    def id(self) -> str:
        return f"{self.file}: {self.name}"


class _Loader(yaml.CSafeLoader):
    """YAML with the tags of expectations. Times stay text, as they travel."""


def _construct(kind: type) -> Any:
    def construct(loader: yaml.SafeLoader, node: yaml.Node) -> Any:
        match node:
            case yaml.SequenceNode():
                return kind(loader.construct_sequence(node, deep=True))
            case yaml.MappingNode():
                return kind(loader.construct_mapping(node, deep=True))
            case yaml.ScalarNode(style="'" | '"' | "|" | ">"):
                return kind(str(node.value))
            case _:
                return kind(yaml.safe_load(str(node.value)) if node.value else None)

    return construct


def _letters(_loader: yaml.SafeLoader, node: yaml.Node) -> str:
    return "x" * int(str(node.value))


def _pattern(_loader: yaml.SafeLoader, node: yaml.Node) -> Pattern:
    return Pattern(str(node.value))


_Loader.add_constructor("!any", lambda _loader, _node: Anything())
_Loader.add_constructor("!absent", lambda _loader, _node: Absent())
_Loader.add_constructor("!like", _pattern)
_Loader.add_constructor("!letters", _letters)
for _tag, _kind in (
    ("!contains", Contains),
    ("!exactly", Exactly),
    ("!lacks", Lacks),
    ("!length", Length),
    ("!not", Not),
):
    _Loader.add_constructor(_tag, _construct(_kind))
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for letter, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_cases(folder: Path) -> Iterator[Case]:
    """Yield every case under *folder*; raises ValueError for a script that says something else."""
    for path in sorted(folder.rglob("*.yaml")):
        # A loader derived from SafeLoader makes plain data only.
        document = yaml.load(path.read_text(), Loader=_Loader)  # noqa: S506
        file = str(path.relative_to(folder).with_suffix(""))
        _require_known(document, frozenset({"subject", "cases"}), file)
        for case in document["cases"]:
            yield _read_case(case, file)


def _read_case(case: Mapping[str, Any], file: str) -> Case:
    _require_known(case, _CASE_WORDS, file)
    where = f"{file}: {case['name']}"
    if case.get("needs") not in (None, "controllers"):
        raise ValueError(f"{where}: needs what? {case['needs']}")
    return Case(
        name=case["name"],
        file=file,
        steps=[_read_step(step, where) for step in case["steps"]],
        needs_controllers=case.get("needs") == "controllers",
        differs=" ".join(str(case.get("differs", "")).split()),
    )


def _read_step(step: Mapping[str, Any], where: str) -> Step:
    _require_known(step, _STEP_WORDS, where)
    verbs = [word for word in step if word in VERBS]
    if len(verbs) != 1:
        raise ValueError(f"{where}: a step has one verb, not {verbs}")
    verb = verbs[0]
    expect = step.get("expect")
    if verb != "events" and expect is not None:
        _require_known(expect, _EXPECT_WORDS, where)
    query = dict(step.get("query", {}))
    if "manager" in step:
        query["fieldManager"] = step["manager"]
    elif verb == "apply":
        query["fieldManager"] = "tester"
    if step.get("force"):
        query["force"] = "true"
    headers = dict(step.get("headers", {}))
    if "accept" in step:
        headers["Accept"] = ACCEPTED.get(step["accept"], step["accept"])
    return Step(
        verb=verb,
        path=step[verb],
        query=query,
        headers=headers,
        media_type=step.get("type", VERBS[verb][1]),
        body=step.get("body"),
        raw=step.get("raw"),
        expect=expect,
        save=step.get("save", {}),
        eventually=bool(step.get("eventually")),
        watch=step.get("as", "watch"),
    )


def _require_known(found: Mapping[str, Any], words: frozenset[str], where: str) -> None:
    if unknown := sorted(set(found) - words):
        raise ValueError(f"{where}: does not understand {unknown}")
