"""Image references are taken apart, changed in one part, and stay references."""

from typing import Any

import pytest

from shared.apimachinery.images import change_image, parse_image

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("nginx", ("", "nginx", "", "")),
        ("library/nginx:1.2", ("", "library/nginx", "1.2", "")),
        ("localhost/nginx", ("localhost", "nginx", "", "")),
        ("registry:5000/a/b:t", ("registry:5000", "a/b", "t", "")),
        ("[::1]:5000/a", ("[::1]:5000", "a", "", "")),
        ("r.example/a@sha256:00", ("r.example", "a", "", "sha256:00")),
        ("r.example:443/a:t@sha256:00", ("r.example:443", "a", "t", "sha256:00")),
    ],
)
def test_image_references_are_taken_apart_and_put_together(
    image: str, parts: tuple[str, ...]
) -> None:
    found = parse_image(image)
    assert (found.registry, found.repository, found.tag, found.digest) == parts
    assert str(found) == image


@pytest.mark.parametrize("image", ["", ":tag", "r.example/", "a:b:c", "a/b:c/d"])
def test_what_is_no_image_is_refused(image: str) -> None:
    with pytest.raises(ValueError, match="is not an image"):
        parse_image(image)


@pytest.mark.parametrize(
    ("component", "operator", "value", "result"),
    [
        ("Registry", "replace", "eu.example:5000", "eu.example:5000/a/b:t"),
        ("Registry", "replace", "[fd00::1]:5000", "[fd00::1]:5000/a/b:t"),
        ("Registry", "replace", "mirror.example/hub", "mirror.example/hub/a/b:t"),
        ("Registry", "remove", "", "a/b:t"),
        ("Registry", "add", ".eu", "r.example.eu/a/b:t"),
        ("Repository", "replace", "c", "r.example/c:t"),
        ("Repository", "add", "-arm", "r.example/a/b-arm:t"),
        ("Repository", "add", "/c", "r.example/a/b/c:t"),
        ("Tag", "add", "-arm", "r.example/a/b:t-arm"),
        ("Tag", "replace", "2", "r.example/a/b:2"),
        ("Tag", "replace", DIGEST, f"r.example/a/b@{DIGEST}"),
        ("Tag", "replace", f"@{DIGEST}", f"r.example/a/b@{DIGEST}"),
        ("Tag", "remove", "", "r.example/a/b"),
    ],
)
def test_one_component_of_an_image_changes(
    component: Any, operator: Any, value: str, result: str
) -> None:
    assert change_image("r.example/a/b:t", component, operator, value) == result


def test_an_image_without_a_registry_gets_one() -> None:
    assert change_image("perl:5.34", "Registry", "add", "r.example") == "r.example/perl:5.34"


@pytest.mark.parametrize("image", [f"a@{DIGEST}", f"a:1@{DIGEST}"])
def test_a_new_tag_displaces_a_digest(image: str) -> None:
    assert change_image(image, "Tag", "replace", "2") == "a:2"
    assert change_image(image, "Tag", "add", "2") == "a:2"
    assert change_image(image, "Tag", "remove", "") == "a"


@pytest.mark.parametrize(
    ("component", "operator", "value"),
    [
        ("Registry", "replace", "no host"),
        ("Registry", "replace", "http://r.example"),
        ("Registry", "add", "/"),
        ("Repository", "replace", "Upper"),
        ("Repository", "replace", "a" * 256),
        ("Repository", "remove", ""),
        ("Tag", "replace", "1 2"),
        ("Tag", "replace", "sha256:00"),
        ("Tag", "add", DIGEST),
        ("Tag", "add", "x" * 128),
    ],
)
def test_what_would_be_no_image_is_refused(component: Any, operator: Any, value: str) -> None:
    with pytest.raises(ValueError, match=r"image|tag|repository"):
        change_image("a/b:t" if value != "/" else "a", component, operator, value)
