"""Overriders of what runs in the containers of an object: images, words, environment.

Containers are found in every kind that runs pods. An object without the container that is named is
left alone: a policy for all Deployments speaks of those that have it.
"""

from typing import Any, Literal

from services.propagator.core.overriders.pointers import look_up, put
from services.propagator.core.overriders.refusal import NotApplicable
from shared.api.override import (
    EVERY_CONTAINER,
    CommandOverrider,
    EnvOverrider,
    EnvVar,
    ImageOverrider,
)
from shared.apimachinery.images import change_image
from shared.apimachinery.manifest import Manifest, copy
from shared.interpreter.pods import containers_of


def override_images(manifest: Manifest, overrider: ImageOverrider) -> None:
    if overrider.predicate is not None:
        path = overrider.predicate.path
        put(manifest, path, _changed(look_up(manifest, path), overrider))
        return
    for container in containers_of(manifest):
        if "image" in container:
            container["image"] = _changed(container["image"], overrider)


def _changed(image: Any, overrider: ImageOverrider) -> str:
    if not isinstance(image, str):
        raise NotApplicable("the image is not a text")
    try:
        return change_image(image, overrider.component, overrider.operator, overrider.value)
    except ValueError as err:
        raise NotApplicable(str(err)) from err


def override_words(
    manifest: Manifest, overrider: CommandOverrider, field: Literal["command", "args"]
) -> None:
    for container in _named(manifest, overrider.container_name):
        words = container.get(field) or []
        if not isinstance(words, list):
            raise NotApplicable(f"{field} of container {_shown(container)} is not a list")
        if overrider.operator == "add":
            container[field] = [*words, *overrider.value]
        elif words:
            container[field] = [word for word in words if word not in overrider.value]


def override_environment(manifest: Manifest, overrider: EnvOverrider) -> None:
    for container in _named(manifest, overrider.container_name):
        before = container.get("env") or []
        if not isinstance(before, list) or not all(isinstance(one, dict) for one in before):
            raise NotApplicable(f"env of container {_shown(container)} is not a list of variables")
        names = {one.name for one in overrider.value}
        if overrider.operator == "remove":
            after = [one for one in before if one.get("name") not in names]
        else:
            after = _set(before, overrider.value, adding=overrider.operator == "add")
        if after != before:
            container["env"] = after


def _set(before: list[Any], given: tuple[EnvVar, ...], *, adding: bool) -> list[Any]:
    """Variables keep their place: later ones may refer to earlier ones."""
    wanted = {one.name: _variable(one) for one in given}
    after: list[Any] = []
    done: set[str] = set()
    for one in before:
        name = one.get("name")
        if not isinstance(name, str) or name not in wanted:
            after.append(one)
        elif name not in done:
            after.append(wanted[name])
            done.add(name)
    if adding:
        after += [variable for name, variable in wanted.items() if name not in done]
    return after


def _variable(one: EnvVar) -> dict[str, Any]:
    if one.value_from is not None:
        return {"name": one.name, "valueFrom": copy(one.value_from)}
    return {"name": one.name, "value": one.value}


def _named(manifest: Manifest, name: str) -> list[dict[str, Any]]:
    return [one for one in containers_of(manifest) if name in (EVERY_CONTAINER, one.get("name"))]


def _shown(container: dict[str, Any]) -> str:
    return repr(str(container.get("name"))[:63])
