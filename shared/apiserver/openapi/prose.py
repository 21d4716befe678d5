"""What types and fields mean, in words, for `kubectl explain`.

The committed facts carry no prose. The package lightkube-models does, in the docstrings of its
generated classes: one module per group and version, which is read as text when a document needs it,
since importing all of them takes seconds and tens of megabytes.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

_CLASS = re.compile(r'^class (\w+)\([^\n]*\n    r"""(.*?)"""', re.DOTALL | re.MULTILINE)
_FIELDS = "**parameters**"
_FIELD = re.compile(r"^ {6}\* \*\*(\S+)\*\* ``.*?``(?: - )?", re.MULTILINE)
# Where a new line of a text is meant, and not only the width of a page.
_ITEM = re.compile(r"[-*] |\d+\. ")


@dataclass(frozen=True, slots=True)
class Prose:
    """The meaning of one type, and of each field by its JSON name."""

    meaning: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


_SILENCE = Prose()


@lru_cache(maxsize=1)
def models_folder() -> Path | None:
    """Return the folder of the generated models; None where they are not installed."""
    found = find_spec("lightkube")
    for place in (found.submodule_search_locations or ()) if found else ():
        folder = Path(place) / "models"
        if folder.is_dir():
            return folder
    return None


def prose_of(folder: Path | None, definition: str) -> Prose:
    """Return what is said of a type such as `io.k8s.api.core.v1.Container`."""
    if folder is None:
        return _SILENCE
    *_, group, version, kind = ("", "", *definition.split("."))
    return _module(folder / f"{group}_{version}.py").get(kind, _SILENCE)


@lru_cache(maxsize=4)
def _module(path: Path) -> Mapping[str, Prose]:
    try:
        source = path.read_text(encoding="utf-8")
    except OSError:
        return {}
    return {name: _read(text) for name, text in _CLASS.findall(source)}


def _read(text: str) -> Prose:
    meaning, _, rest = text.partition(_FIELDS)
    parts = _FIELD.split(rest)[1:]
    fields = dict(zip(parts[::2], map(_flowing, parts[1::2]), strict=True))
    return Prose(_flowing(meaning), {name: said for name, said in fields.items() if said})


def _flowing(text: str) -> str:
    """Join the lines of each paragraph; items of lists keep theirs."""
    return "\n\n".join(filter(None, ("\n".join(_lines(part)) for part in text.split("\n\n"))))


def _lines(paragraph: str) -> Iterator[str]:
    line = ""
    for each in map(str.strip, paragraph.split("\n")):
        if line and _ITEM.match(each):
            yield line
            line = each
        else:
            line = f"{line} {each}".strip()
    if line:
        yield line
