"""Events, of either group that they are served in."""

from collections.abc import Iterator

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import section
from shared.apiserver.semantics.faults import (
    invalid,
    required,
    text,
)
from shared.errors import FieldError

_LENGTH_MAX = {"reportingInstance": 128, "action": 128, "reason": 128}


def judge_event(manifest: Manifest) -> Iterator[FieldError]:
    """Of either group: what one calls `regarding` is the other's `involvedObject`."""
    modern = manifest.get("apiVersion") != "v1"
    about = section(manifest, "regarding" if modern else "involvedObject").get("namespace") or ""
    namespace = section(manifest, "metadata").get("namespace") or ""
    when = manifest.get("eventTime")
    cluster_scoped = not about and namespace in ("default", *(("kube-system",) if when else ()))
    matches = bool(about) if when else about == namespace
    if not matches and not cluster_scoped:
        yield invalid("involvedObject.namespace", about, "does not match event.namespace")
    if when:
        yield from _reported(manifest, modern=modern)
    if not modern:
        return
    if not when:
        yield required("eventTime")
    kind = manifest.get("type") or ""
    if kind not in ("Normal", "Warning"):
        yield invalid("type", "", f"has invalid value: {kind}")
    series = section(manifest, "series")
    if series:
        if (series.get("count") or 0) < 2:
            yield invalid("series.count", "", "should be at least 2")
        if not series.get("lastObservedTime"):
            yield required("series.lastObservedTime")


def _reported(manifest: Manifest, *, modern: bool) -> Iterator[FieldError]:
    name = "reportingController" if modern else "reportingComponent"
    reporter = manifest.get(name) or ""
    if not reporter:
        yield required(name)
    yield from text(reporter, name, texts.label_key)
    for part, most in _LENGTH_MAX.items():
        found = str(manifest.get(part) or "")
        if not found:
            yield required(part)
        if len(found) > most:
            yield invalid(part, "", f"can have at most {most} characters")
    note = str(manifest.get("note" if modern else "message") or "")
    if len(note) > 1024:
        yield invalid("message", "", "can have at most 1024 characters")
