"""Namespaces: what may hold one."""

from collections.abc import Iterator
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.manifest import Manifest
from shared.apimachinery.parts import section
from shared.apiserver.semantics.faults import (
    invalid,
    strings,
    text,
)
from shared.errors import FieldError


def judge_namespace(manifest: Manifest) -> list[FieldError]:
    return list(_finalizers(strings(section(manifest, "spec").get("finalizers"))))


def _finalizers(found: Any) -> Iterator[FieldError]:
    for one in found:
        yield from text(one, "spec.finalizers", texts.label_key)
        if "/" not in one and one not in ("kubernetes", "orphan", "foregroundDeletion"):
            why = "name is neither a standard finalizer name nor is it fully qualified"
            yield invalid("spec.finalizers", one, why)
