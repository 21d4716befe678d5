"""Rules for ResourceInterpreter beyond its schema. Pure."""

from shared.api.interpreter import Customizations, ResourceInterpreter
from shared.api.meta import GROUP
from shared.apiserver.rules.selection import check_label_selector, forbidden, required
from shared.errors import FieldError, InvalidObject
from shared.interpreter.declared import declared_interpreter

_TARGET = "spec.target"


def check_interpreter(declaration: ResourceInterpreter) -> list[FieldError]:
    target = declaration.spec.target
    faults: list[FieldError] = []
    if not target.api_version:
        faults.append(required(f"{_TARGET}.apiVersion", "which API the objects are of"))
    if not target.kind:
        faults.append(required(f"{_TARGET}.kind", "which kind the objects are of"))
    if target.api_version.partition("/")[0] == GROUP:
        faults.append(forbidden(f"{_TARGET}.apiVersion", "Hanse knows its own objects"))
    faults += check_label_selector(target.label_selector, f"{_TARGET}.labelSelector")
    if declaration.spec.customizations == Customizations():
        faults.append(required("spec.customizations", "at least one operation"))
    try:
        declared_interpreter(declaration)
    except InvalidObject as err:
        faults += err.fields
    return faults
