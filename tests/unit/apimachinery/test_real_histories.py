"""Histories of applies and updates, with what a real kube-apiserver made of them.

`real_histories.json` holds random histories of three managers over one object, and after every
step the object that kube-apiserver 1.32 answered, or the conflicts it named. A step is replayed on
the server's own last answer, so that its defaults do not matter.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.apimachinery import schema
from shared.apimachinery.apply import Conflicts, Writer, apply, track_update
from shared.apimachinery.manifest import GroupVersionKind, Manifest
from shared.apimachinery.patch import merge_patch
from shared.apimachinery.pruning import with_defaults, without_unknown
from shared.apimachinery.schema import Schema
from shared.apimachinery.strategic_merge import strategic_merge

RECORDED = json.loads(Path(__file__).with_name("real_histories.json").read_text())
DEPLOYMENT = schema.builtin(GroupVersionKind("apps", "v1", "Deployment"))
CUSTOM = schema.node(RECORDED["schema"])
assert DEPLOYMENT is not None
SCHEMAS: dict[str, Schema] = {"Deployment": DEPLOYMENT, "Toy": CUSTOM}


def managers(manifest: Manifest) -> list[Any]:
    entries = manifest["metadata"].get("managedFields") or []
    return sorted(
        [
            entry["manager"],
            entry["operation"],
            entry["apiVersion"],
            json.dumps(entry["fieldsV1"], sort_keys=True),
        ]
        for entry in entries
    )


def content(manifest: Manifest) -> Manifest:
    """Everything but ownership; a typed server does not keep empty metadata."""
    metadata = {
        name: part
        for name, part in manifest["metadata"].items()
        if part and name not in ("managedFields", "namespace")
    }
    return {**manifest, "metadata": metadata}


def missing(ours: Any, real: Any, path: str = "") -> list[str]:
    """Paths of *ours* that differ in *real*, which has the defaults of its kind besides."""
    if isinstance(ours, dict):
        if not isinstance(real, dict):
            return [] if not ours and real is None else [path]
        return [
            found
            for name, each in ours.items()
            if each not in (None, {}, [], "", False) or name in real
            for found in missing(each, real.get(name), f"{path}.{name}")
        ]
    if isinstance(ours, list) and isinstance(real, list) and len(ours) == len(real):
        pairs = enumerate(zip(ours, real, strict=True))
        return [each for place, pair in pairs for each in missing(*pair, f"{path}[{place}]")]
    return [] if ours == real or (not ours and not real) else [path]


def check_content(kind: str, ours: Manifest, real: Manifest) -> None:
    if kind == "Toy":
        ours = with_defaults(without_unknown(ours, CUSTOM), CUSTOM)
        assert content(ours) == content(real)
    else:
        # The alias of `serviceAccountName` is kept in step by the real server only.
        found = missing(content(ours), content(real))
        assert [path for path in found if not path.endswith(".serviceAccount")] == []


def replay(kind: str, step: dict[str, Any], live: Manifest | None) -> Manifest | None:
    known = SCHEMAS[kind]
    version = "apps/v1" if kind == "Deployment" else "test.dev/v1"
    writer = Writer(step["manager"], version, "2026-01-01T00:00:00Z")
    real: Manifest | None = step.get("after")
    if "apply" in step:
        ours = apply(live, step["apply"], writer, known, force=step["force"])
        if real is None:
            assert isinstance(ours, Conflicts)
            named = sorted([f"conflict with {one.whose}", one.path] for one in ours.conflicts)
            assert named == step["conflicts"]
            return live
        assert not isinstance(ours, Conflicts), str(ours)
        check_content(kind, ours, real)
        assert managers(ours) == managers(real)
        return real
    assert live is not None
    assert real is not None
    if step["update"] == "smp":
        check_content(kind, strategic_merge(live, step["patch"], known), real)
    else:
        check_content(kind, merge_patch(live, step["patch"]), real)
    unmanaged = {**real["metadata"]}
    unmanaged.pop("managedFields", None)
    tracked = track_update(live, {**real, "metadata": unmanaged}, writer, known)
    assert managers({"metadata": {"managedFields": tracked}}) == managers(real)
    return real


@pytest.mark.parametrize("history", RECORDED["histories"], ids=lambda history: history["kind"])
def test_every_step_ends_as_on_the_real_server(history: dict[str, Any]) -> None:
    live: Manifest | None = None
    for step in history["steps"]:
        live = replay(history["kind"], step, live)
