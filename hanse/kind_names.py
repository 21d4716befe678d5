"""Kinds as people name them: `deployment`, `deploy`, `deployments.apps`, `rollouts.argoproj.io`."""

from collections.abc import Sequence

from shared.apimachinery.manifest import decode
from shared.errors import InvalidObject
from shared.memberapi.port import MemberApi, ResourceType

_DEADLINE_SECONDS = 10.0


async def find_kind(api: MemberApi, word: str) -> ResourceType:
    """Return the kind that *word* names, in the preferred version; raises `InvalidObject`."""
    kinds = await api.discover()
    name, _, rest = word.lower().partition(".")
    for kind in kinds:
        groups = ("", kind.gvk.group, f"{kind.gvk.version}.{kind.gvk.group}".rstrip("."))
        if name in (kind.resource, kind.gvk.kind.lower()) and rest in groups:
            return kind
    found = None if rest else await _by_short_name(api, kinds, name)
    if found is None:
        raise InvalidObject(f'the hub serves no kind "{word}"')
    return found


async def _by_short_name(
    api: MemberApi, kinds: Sequence[ResourceType], name: str
) -> ResourceType | None:
    """Look through the documents of each version: asked only where no full name fits."""
    looked: dict[str, set[str]] = {}
    for kind in kinds:
        path = kind.path().rpartition("/")[0]
        if path not in looked:
            document = decode(await api.read(path, deadline_seconds=_DEADLINE_SECONDS))
            looked[path] = {
                str(one.get("name"))
                for one in document.get("resources") or ()
                if name in (one.get("shortNames") or ())
            }
        if kind.resource in looked[path]:
            return kind
    return None
