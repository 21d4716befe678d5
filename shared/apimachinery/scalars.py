"""Whether a text, a number or a truth value fits its schema: type, format, bounds, choices."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery.formats import format_fault
from shared.apimachinery.manifest import encode
from shared.apimachinery.patterns import matches
from shared.apimachinery.schema import Schema
from shared.errors import FieldError

_SHOWN_MAX = 1_000
_CHOICES_SHOWN = 200


def check_scalar(value: Any, schema: Schema, path: str, faults: list[FieldError]) -> bool:
    """Add what is wrong with *value* to *faults*; False where it is of another type altogether."""
    if not _has_type(value, schema):
        return False
    if schema.format:
        why = format_fault(schema.format, value)
        if why is not None:
            text = f"Invalid value: {shown(value)}: {why.replace('{path}', path)}"
            reason = "FieldValueInvalid"
            if isinstance(value, str) and schema.format != "quantity":
                text, reason = f"{text}: {shown(value)}", "FieldValueTypeInvalid"
            faults.append(FieldError(path, text, reason))
    if schema.bounded:
        faults.extend(_choice_faults(value, schema.raw, path))
        if isinstance(value, str):
            faults.extend(_text_faults(value, schema.raw, path))
        elif not isinstance(value, bool):
            faults.extend(_number_faults(value, schema.raw, path))
    return True


def _has_type(value: Any, schema: Schema) -> bool:
    kind = schema.type
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if kind == "integer":
        if isinstance(value, float):
            return value.is_integer()
        return isinstance(value, int) and not isinstance(value, bool)
    if schema.int_or_string:
        # A quantity may be any number; a port or a percentage only a whole one.
        if isinstance(value, float) and schema.format != "quantity":
            return False
        return isinstance(value, str | int | float) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return kind not in ("object", "array")


def _choice_faults(value: Any, raw: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    choices = raw.get("enum")
    if choices and not any(
        value == each and isinstance(value, bool) == isinstance(each, bool) for each in choices
    ):
        supported = ", ".join(shown(each) for each in choices[:_CHOICES_SHOWN])
        if len(choices) > _CHOICES_SHOWN:
            supported += f" and {len(choices) - _CHOICES_SHOWN} more"
        why = f"Unsupported value: {shown(value)}: supported values: {supported}"
        yield FieldError(path, why, "FieldValueNotSupported")


def _text_faults(value: str, raw: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    least, most, pattern = raw.get("minLength"), raw.get("maxLength"), raw.get("pattern")
    start = f"Invalid value: {shown(value)}: {path} in body should"
    # One of them at most, in this order.
    if most is not None and len(value) > most:
        why = f"Too long: may not be more than {most} bytes"
        yield FieldError(path, why, "FieldValueTooLong")
    elif least is not None and len(value) < least:
        yield FieldError(path, f"{start} be at least {least} chars long")
    elif pattern and not matches(pattern, value):
        yield FieldError(path, f"{start} match '{pattern}'")


def _number_faults(value: float, raw: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    least, most, step = raw.get("minimum"), raw.get("maximum"), raw.get("multipleOf")
    start = f"Invalid value: {shown(value)}: {path} in body should be"
    if least is not None:
        if raw.get("exclusiveMinimum"):
            if value <= least:
                yield FieldError(path, f"{start} greater than {least}")
        elif value < least:
            yield FieldError(path, f"{start} greater than or equal to {least}")
    if most is not None:
        if raw.get("exclusiveMaximum"):
            if value >= most:
                yield FieldError(path, f"{start} less than {most}")
        elif value > most:
            yield FieldError(path, f"{start} less than or equal to {most}")
    if step and abs(value / step - round(value / step)) > 1e-9:
        yield FieldError(path, f"{start} a multiple of {step}")


_FOR_HTML = {ord("<"): "\\u003c", ord(">"): "\\u003e", ord("&"): "\\u0026"}


def shown(value: Any) -> str:
    """Return a value as errors print it: JSON, as Go writes it, cut where it is long."""
    text = encode({"": value}).decode()[4:-1]
    if isinstance(value, dict | list):
        text = text.translate(_FOR_HTML)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


# Beyond it Go writes numbers with an exponent.
_WRITTEN_OUT_MAX = 1e21


def with_whole_numbers(value: Any) -> Any:
    """Return plain data with `2.0` as `2`, as Go writes it; shares what does not change.

    Typed clients read no integer out of the longer form.
    """
    if isinstance(value, float):
        whole = value.is_integer() and abs(value) < _WRITTEN_OUT_MAX
        return int(value) if whole else value
    if isinstance(value, dict):
        made = {name: with_whole_numbers(each) for name, each in value.items()}
        return made if any(made[name] is not value[name] for name in made) else value
    if isinstance(value, list):
        items = [with_whole_numbers(each) for each in value]
        return items if any(a is not b for a, b in zip(items, value, strict=True)) else value
    return value
