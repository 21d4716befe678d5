"""What a worker keeps of an object it saw in a member: enough to tell ours, new and drifted."""

import hashlib
from dataclasses import dataclass

from services.propagator.core.marks import MANAGED_LABEL, applied_entry, work_generation_of
from shared.apimachinery.manifest import Manifest, encode, metadata_of


@dataclass(frozen=True, slots=True)
class Observed:
    """`fields_digest` is over what we own in it; empty where we never applied."""

    uid: str
    resource_version: str
    work_generation: int
    labelled: bool
    fields_digest: str


def observe(manifest: Manifest) -> Observed:
    metadata = metadata_of(manifest)
    return Observed(
        uid=str(metadata.get("uid") or ""),
        resource_version=str(metadata.get("resourceVersion") or ""),
        work_generation=work_generation_of(manifest),
        labelled=(metadata.get("labels") or {}).get(MANAGED_LABEL) == "true",
        fields_digest=_fields_digest(manifest),
    )


def is_newer(version: str, than: str) -> bool:
    """Whether resourceVersion *version* is later. What is not a number is taken for later."""
    if not (version.isdecimal() and than.isdecimal()):
        return version != than
    return int(version) > int(than)


def _fields_digest(manifest: Manifest) -> str:
    entry = applied_entry(manifest)
    if entry is None:
        return ""
    return hashlib.blake2b(encode(entry.get("fieldsV1") or {}), digest_size=8).hexdigest()
