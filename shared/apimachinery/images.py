"""References to container images: `registry/repository:tag@digest` and changing one part.

The registry is the first segment where it could be a host: it holds a dot or a colon, or is
`localhost`. What a part may be written with is the grammar of github.com/distribution/reference.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal

Component = Literal["Registry", "Repository", "Tag"]
Operator = Literal["add", "remove", "replace"]

_NAME_CHARACTERS_MAX = 255
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PATH = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
# A registry may come with a path of its own, as a mirror has it.
_REGISTRY = re.compile(
    rf"(?:{_HOST}(?:\.{_HOST})*|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?(?:/{_PATH})*", re.ASCII
)
_REPOSITORY = re.compile(rf"{_PATH}(?:/{_PATH})*", re.ASCII)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(
    r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,}", re.ASCII
)
_PIECE = re.compile(r"[\w.:/-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Image:
    """Parts as written; empty is absent. `digest` is `sha256:...`."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    def __str__(self) -> str:
        text = f"{self.registry}/{self.repository}" if self.registry else self.repository
        if self.tag:
            text += f":{self.tag}"
        return f"{text}@{self.digest}" if self.digest else text


def parse_image(text: str) -> Image:
    """Raises ValueError for a reference without a repository."""
    rest, _, digest = text.partition("@")
    head, slash, tail = rest.partition("/")
    registry = ""
    if slash and (set(".:") & set(head) or head == "localhost"):
        registry, rest = head, tail
    repository, _, tag = rest.partition(":")
    if not repository or repository.endswith("/") or "/" in tag or ":" in tag:
        raise ValueError(f"{text[:300]!r} is not an image reference")
    return Image(registry, repository, tag, digest)


def change_image(text: str, component: Component, operator: Operator, value: str) -> str:
    """Add *value* to the end of a component, replace it, or remove it.

    A digest counts as the tag: it pins what a tag only names, so a new tag displaces it.
    Raises ValueError where what is left would be no image.
    """
    image = parse_image(text)
    if component == "Tag":
        return str(_change_tag(image, operator, value))
    field = component.lower()
    after = {"add": getattr(image, field) + value, "replace": value, "remove": ""}[operator]
    after = after.strip("/")
    if operator != "remove":
        check_component(component, after)
    changed = replace(image, **{field: after})
    if not changed.repository:
        raise ValueError(f"{text[:300]!r} would be left without a repository")
    return str(changed)


def check_component(component: Component, value: str) -> None:
    """Raise ValueError for what cannot be the whole of a component."""
    if component == "Tag":
        value = value.removeprefix("@")
        fits = (_DIGEST if ":" in value else _TAG).fullmatch(value)
    else:
        value = value.strip("/")
        pattern = _REGISTRY if component == "Registry" else _REPOSITORY
        fits = pattern.fullmatch(value) if len(value) <= _NAME_CHARACTERS_MAX else None
    if not fits:
        words = {"Registry": "a registry", "Repository": "a repository", "Tag": "a tag or digest"}
        raise ValueError(f"{value[:300]!r} cannot be {words[component]} of an image")


def check_piece(component: Component, value: str) -> None:
    """Raise ValueError for what cannot be added to any component of the kind."""
    if component == "Tag" and ":" in value:
        raise ValueError("a digest cannot be added to a tag: replace it")
    if not _PIECE.fullmatch(value):
        raise ValueError(f"{value[:300]!r} cannot be part of an image reference")


def _change_tag(image: Image, operator: Operator, value: str) -> Image:
    if operator == "remove":
        return replace(image, tag="", digest="")
    if operator == "add" and not image.digest:
        value = image.tag + value
        if ":" in value:
            raise ValueError("a digest cannot be added to a tag: replace it")
    check_component("Tag", value)
    value = value.removeprefix("@")
    if ":" in value:
        return replace(image, tag="", digest=value)
    return replace(image, tag=value, digest="")
