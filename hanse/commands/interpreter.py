"""`hanse interpreter test`: what an interpreter says of objects, and whether that is expected.

Works on files alone; only an object named as KIND/NAME is asked of the hub, and with it the
interpreters that speak there. A file may hold interpreters, objects, and documents of `tests`,
in any order.
"""

import argparse
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import uvloop
import yaml

from hanse.asking import hub_of
from hanse.commands.options import Subcommands, add_files, add_hub, add_json
from hanse.hub import Hub
from shared.api.binding import ResourceBinding, binding_key, is_built_in
from shared.api.interpreter import ResourceInterpreter
from shared.api.meta import GROUP, VERSION, read
from shared.apimachinery.manifest import (
    GroupVersionKind,
    Manifest,
    ObjectKey,
    name_of,
    namespace_of,
)
from shared.apiserver.requests.bodies import KubernetesLoader
from shared.apiserver.rules.interpreters import check_interpreter
from shared.errors import HanseError, InvalidObject
from shared.interpreter.cases import (
    ERROR,
    OPERATIONS,
    WHOLE_OBJECTS,
    Case,
    CaseFile,
    answer,
    surprises,
)
from shared.interpreter.registry import Interpreters, read_declaration, ready_made

_KIND = "ResourceInterpreter"


@dataclass(slots=True)
class Read:
    """What the files hold."""

    declarations: list[ResourceInterpreter] = field(default_factory=list)
    tests: list[Case] = field(default_factory=list)
    objects: list[Case] = field(default_factory=list)


def add(subcommands: Subcommands) -> None:
    parser = subcommands.add_parser("interpreter", help="try what Hanse is told of a kind")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    test = verbs.add_parser("test", help="show what it says of objects, and run its tests")
    add_files(test, "interpreters, objects and tests")
    test.add_argument(
        "object", nargs="?", default="", metavar="KIND/NAME", help="an object of the hub"
    )
    test.add_argument("-n", "--namespace", default="default", help="of that object")
    test.add_argument(
        "--operation",
        action="append",
        choices=tuple(OPERATIONS),
        metavar="OPERATION",
        help=f"one of {', '.join(OPERATIONS)} (default all); may be repeated",
    )
    test.add_argument("--replicas", type=int, metavar="N", help="a share, for replicaRevision")
    add_json(test)
    add_hub(test)
    test.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """0: everything answers, as expected; 1: it does not; 2: what is asked cannot be read."""
    spoken: list[ResourceInterpreter] = []
    try:
        found = read_files(options.filename)
        if options.object:
            asked, declared = uvloop.run(_from_hub(options))
            found.objects.append(asked)
            # Those of the files are tried in the place of the hub's.
            tried = {one.metadata.name for one in found.declarations}
            spoken = [one for one in declared if one.metadata.name not in tried]
        registry = _registry([*found.declarations, *spoken])
    except InvalidObject as err:
        faults = err.fields or (str(err),)
        sys.stderr.write("".join(f"{err}: {one}\n" if err.fields else f"{one}\n" for one in faults))
        return 2
    except (HanseError, OSError) as err:
        sys.stderr.write(f"{err}\n")
        return 2
    if not (found.declarations or found.objects or found.tests):
        sys.stderr.write("nothing to test: name a file with -f, or an object as KIND/NAME\n")
        return 2
    answers = [
        (case, _answer(registry, case, options.operation or OPERATIONS, options.replicas))
        for case in found.objects
    ]
    results = [(case, surprises(registry.of(case.object), case)) for case in found.tests]
    if options.json:
        _print_json(answers, results)
    else:
        _print(found.declarations, answers, results)
    failed = any(why for _, why in results) or any(_has_failed(said) for _, said in answers)
    return 1 if failed else 0


def read_files(paths: Iterable[Path]) -> Read:
    """Raise `InvalidObject` for what is no manifest, OSError for what cannot be read."""
    found = Read()
    for path in paths:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        try:
            loaded = list(yaml.load_all(text, Loader=KubernetesLoader))
            documents = msgspec.json.decode(msgspec.json.encode(loaded))
        except (yaml.YAMLError, TypeError, ValueError) as err:
            raise InvalidObject(f"{path}: is no YAML of JSON's types: {err}") from err
        for number, document in enumerate(documents, 1):
            try:
                _take(found, document)
            except InvalidObject as err:
                where = f"{path}, document {number}"
                raise InvalidObject(
                    f"{where}: {err}" if not err.fields else where, err.fields
                ) from err
    return found


def _take(found: Read, document: Any) -> None:
    if document is None:
        return
    if not isinstance(document, dict):
        raise InvalidObject("is no object")
    if "tests" in document and "kind" not in document:
        found.tests += read(document, CaseFile).tests
    elif not document.get("apiVersion") or not document.get("kind"):
        raise InvalidObject("has no apiVersion and kind, nor tests")
    elif document["kind"] == _KIND and str(document["apiVersion"]).startswith(f"{GROUP}/"):
        declaration = read(document, ResourceInterpreter)
        if faults := check_interpreter(declaration):
            raise InvalidObject("breaks its rules", faults)
        found.declarations.append(declaration)
    else:
        found.objects.append(Case(object=document))


def _registry(declarations: Iterable[ResourceInterpreter]) -> Interpreters:
    return ready_made().with_declared(map(read_declaration, declarations))


async def _from_hub(options: argparse.Namespace) -> tuple[Case, list[ResourceInterpreter]]:
    """The template as the hub has it with what its members reported, and who speaks there."""
    word, _, name = options.object.partition("/")
    if not word or not name:
        raise InvalidObject(f"{options.object!r} is no KIND/NAME such as rollout/web")
    async with hub_of(options) as api:
        hub = Hub(api)
        wanted = word.lower()
        kinds = [
            kind
            for kind in await api.discover()
            if wanted in (kind.resource, kind.gvk.kind.lower(), f"{kind.resource}.{kind.gvk.group}")
        ]
        if not kinds:
            raise InvalidObject(f"the hub serves no kind {word!r}")
        kind = kinds[0]
        namespace = options.namespace if kind.namespaced else ""
        template = await api.get(kind, namespace, name)
        if template is None:
            raise InvalidObject(f"the hub has no {kind.gvk.kind} {name} in {namespace or 'it'}")
        key = ObjectKey(kind.gvk.group, kind.resource, namespace, name)
        at = binding_key(key, kind.gvk.kind, built_in=is_built_in(kind.gvk.group))
        scope = "ResourceBinding" if namespace else "ClusterResourceBinding"
        speakers = await hub.list(GroupVersionKind(GROUP, VERSION, _KIND))
        binding = await hub.get(GroupVersionKind(GROUP, VERSION, scope), namespace, at.name)
    reports = read(binding, ResourceBinding).status.aggregated_status if binding else ()
    statuses = {report.cluster: report.status for report in reports if report.status}
    case = Case(object=template, statuses=statuses)
    return case, [read(one, ResourceInterpreter) for one in speakers]


def _answer(
    registry: Interpreters, case: Case, operations: Iterable[str], replicas: int | None
) -> dict[str, Any]:
    asked = msgspec.structs.replace(case, replicas=replicas)
    return answer(registry.of(case.object), asked, operations)


def _has_failed(said: dict[str, Any]) -> bool:
    return any(isinstance(one, dict) and set(one) == {ERROR} for one in said.values())


def _without_header(manifest: Manifest) -> Manifest:
    """What an operation can have changed, without what is the same in every object."""
    names = ("apiVersion", "kind", "metadata", "status")
    return {name: value for name, value in manifest.items() if name not in names}


def _title(manifest: Manifest) -> str:
    place = "/".join(part for part in (namespace_of(manifest), name_of(manifest)) if part)
    return f"{manifest.get('kind')} {place}"


def _print_json(
    answers: list[tuple[Case, dict[str, Any]]], results: list[tuple[Case, list[str]]]
) -> None:
    told = {
        "objects": [{"object": _title(case.object), "answers": said} for case, said in answers],
        "tests": [{"name": case.name, "passed": not why, "why": why} for case, why in results],
    }
    print(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())


def _print(
    declarations: list[ResourceInterpreter],
    answers: list[tuple[Case, dict[str, Any]]],
    results: list[tuple[Case, list[str]]],
) -> None:
    for one in declarations:
        target = one.spec.target
        print(f"interpreter {one.metadata.name}: {target.api_version} {target.kind}, sound")
    for case, said in answers:
        print(f"{_title(case.object)}:")
        for operation, value in said.items():
            told = _without_header(value) if operation in WHOLE_OBJECTS else value
            shown = told if isinstance(told, str) else msgspec.json.encode(told).decode()
            print(f"  {operation:<25}{shown}")
    for case, why in results:
        print(f"{'FAILED' if why else 'passed'}  {case.name or _title(case.object)}")
        for line in why:
            print(f"        {line}")
    if results:
        failed = sum(1 for _, why in results if why)
        print(f"{len(results) - failed} passed, {failed} failed")
