"""References to container images: `registry/repository:tag@digest` and changing one part.

The registry is the first segment where it could be a host: it holds a dot or a colon, or is
`localhost` (the rule of the distribution reference grammar).
"""

from dataclasses import dataclass, replace
from typing import Literal

Component = Literal["Registry", "Repository", "Tag"]
Operator = Literal["add", "remove", "replace"]


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
    Raises ValueError where no image would be left.
    """
    image = parse_image(text)
    if component == "Tag":
        return str(_change_tag(image, operator, value))
    field = component.lower()
    before = getattr(image, field)
    after = {"add": before + value, "replace": value, "remove": ""}[operator]
    changed = replace(image, **{field: after.strip("/")})
    if not changed.repository:
        raise ValueError(f"{text[:300]!r} would be left without a repository")
    return str(changed)


def _change_tag(image: Image, operator: Operator, value: str) -> Image:
    if operator == "add" and not image.digest:
        return replace(image, tag=image.tag + value)
    if operator == "remove":
        return replace(image, tag="", digest="")
    value = value.removeprefix("@")
    if ":" in value:
        return replace(image, tag="", digest=value)
    return replace(image, tag=value, digest="")
