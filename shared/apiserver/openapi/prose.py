"""What a field means, in words, for `kubectl explain`.

The committed facts carry no prose. The installed client library does, in the docstrings of its
generated models: one small source file per type, which is read as text when a document needs it,
since importing all models takes seconds and tens of megabytes.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

_GETTER = re.compile(r'"""Gets the (\w+) of this \w+\.[^\n]*\n(.*?)\n\s*:return:', re.DOTALL)
_JSON_NAME = re.compile(r"'(\w+)': '([^']+)'")
_ATTRIBUTES = re.compile(r"attribute_map = \{(.*?)\}", re.DOTALL)
_MARK = re.compile(r"\s*# noqa: E501")
_WORD_START = re.compile(r"(.)([A-Z][a-z]+)")
_WORD_END = re.compile(r"([a-z0-9])([A-Z])")


def models_folder() -> Path | None:
    """Return the folder of the client library's models; None where it is not installed."""
    found = find_spec("kubernetes_asyncio")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "client" / "models"


def field_prose(folder: Path | None, definition: str) -> Mapping[str, str]:
    """Return JSON field name -> meaning for a type such as `io.k8s.api.core.v1.Container`."""
    if folder is None:
        return {}
    for candidate in _file_names(definition):
        try:
            source = (folder / candidate).read_text(encoding="utf-8")
        except OSError:
            continue
        return dict(_fields(source))
    return {}


def _file_names(definition: str) -> Iterator[str]:
    """A type whose name several groups use has the group before the version."""
    *_, group, version, kind = ("", "", *definition.split("."))
    snake = _WORD_END.sub(r"\1_\2", _WORD_START.sub(r"\1_\2", kind)).lower()
    yield f"{version}_{snake}.py"
    yield f"{group}_{version}_{snake}.py"


def _fields(source: str) -> Iterator[tuple[str, str]]:
    attributes = _ATTRIBUTES.search(source)
    names = dict(_JSON_NAME.findall(attributes[1])) if attributes else {}
    for attribute, text in _GETTER.findall(source):
        meaning = " ".join(_MARK.sub("", text).replace('\\"', '"').split())
        if meaning and attribute in names:
            yield names[attribute], meaning
