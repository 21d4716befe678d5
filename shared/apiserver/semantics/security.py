"""Security contexts of pods and containers."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from shared.apimachinery import texts
from shared.apimachinery.parts import entries, section
from shared.apiserver.semantics.faults import (
    ID_MAX,
    duplicate,
    invalid,
    one_of,
    required,
    text,
    unsupported,
    within,
)
from shared.errors import FieldError

_SYSCTL_MAX = 253
_SYSCTL = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?")
_PROFILES = ("Localhost", "RuntimeDefault", "Unconfined")


def pod_security(context: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name in ("fsGroup", "runAsUser", "runAsGroup"):
        yield from within(context.get(name), f"{path}.{name}", 0, ID_MAX)
    for number, group in enumerate(context.get("supplementalGroups") or ()):
        yield from within(group, f"{path}.supplementalGroups[{number}]", 0, ID_MAX)
    yield from one_of(context, "fsGroupChangePolicy", path, ("Always", "OnRootMismatch"))
    yield from one_of(context, "supplementalGroupsPolicy", path, ("Merge", "Strict"))
    yield from one_of(context, "seLinuxChangePolicy", path, ("MountOption", "Recursive"))
    names: set[str] = set()
    for number, one in enumerate(entries(context, "sysctls")):
        name = str(one.get("name") or "")
        if not name:
            yield required(f"{path}.sysctls[{number}].name")
        elif len(name) > _SYSCTL_MAX or _SYSCTL.fullmatch(name) is None:
            why = f"must have at most {_SYSCTL_MAX} characters and match regex ^{_SYSCTL.pattern}$"
            yield invalid(f"{path}.sysctls[{number}].name", name, why)
        elif name in names:
            yield duplicate(f"{path}.sysctls[{number}].name", name)
        names.add(name)
    yield from _profiles(context, path)


def container_security(context: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name in ("runAsUser", "runAsGroup"):
        yield from within(context.get(name), f"{path}.{name}", 0, ID_MAX)
    yield from one_of(context, "procMount", path, ("Default", "Unmasked"))
    yield from _profiles(context, path)
    if context.get("allowPrivilegeEscalation") is not False:
        return
    start = "cannot set `allowPrivilegeEscalation` to false and"
    if context.get("privileged") is True:
        yield invalid(path, context, f"{start} `privileged` to true")
    if "CAP_SYS_ADMIN" in (section(context, "capabilities").get("add") or ()):
        yield invalid(path, context, f"{start} `capabilities.Add` CAP_SYS_ADMIN")


def _profiles(context: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    for name, word in (("seccompProfile", "seccomp"), ("appArmorProfile", "AppArmor")):
        if context.get(name) is not None:
            yield from _profile(section(context, name), f"{path}.{name}", name, word)


def _profile(profile: Mapping[str, Any], path: str, name: str, word: str) -> Iterator[FieldError]:
    kind, local = profile.get("type"), profile.get("localhostProfile")
    if not kind:
        yield required(f"{path}.type", f"type is required when {name} is set")
    elif kind not in _PROFILES:
        yield unsupported(f"{path}.type", kind, _PROFILES)
    if kind == "Localhost":
        if local is None:
            why = f"must be set when {word} type is Localhost"
            yield required(f"{path}.localhostProfile", why)
        elif word == "seccomp":
            yield from text(local, f"{path}.localhostProfile", texts.local_path)
    elif local is not None:
        why = f"can only be set when {word} type is Localhost"
        yield invalid(f"{path}.localhostProfile", local, why)
