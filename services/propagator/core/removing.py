"""What holds an object that is being deleted in a member, in words (pure)."""

from shared.apimachinery.manifest import Manifest, metadata_of

_NAMESPACE = ("v1", "Namespace")


def held_up(live: Manifest | None) -> str:
    """Which finalizers *live* waits for and since when; empty where it waits for none."""
    if live is None:
        return ""
    metadata = metadata_of(live)
    since = metadata.get("deletionTimestamp")
    finalizers = [str(one) for one in metadata.get("finalizers") or ()]
    if (live.get("apiVersion"), live.get("kind")) == _NAMESPACE:
        finalizers += _contents(live)
    if not since or not finalizers:
        return ""
    return f"held by {', '.join(finalizers)} since {since}"


def going_away(live: Manifest) -> str:
    """That *live*, which is to be there, is being deleted by others; empty where it is not."""
    if not metadata_of(live).get("deletionTimestamp"):
        return ""
    return ", ".join(("being deleted in the member", *filter(None, [held_up(live)])))


def _contents(namespace: Manifest) -> list[str]:
    """What a namespace says is left in it, by its own conditions."""
    return [
        str(one.get("message") or "")
        for one in (namespace.get("status") or {}).get("conditions") or ()
        if one.get("status") == "True" and str(one.get("type") or "").startswith("Namespace")
    ]
