"""Going back to a revision: the template, and where that is asked for the overrides, as they were.

Pure but for `undo`, which writes by compare-and-set. The number of replicas, what the hub keeps of
its own in metadata, and the status stay as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hanse.rollouts.saying import MANAGER
from hanse.rollouts.subject import ATTEMPTS, Subject, hanse_kind, is_conflict
from shared.api.meta import section
from shared.api.revision import ResourceRevision, RevisedOverride
from shared.api.rollout import RolloutStatus
from shared.apimachinery.defaults import with_defaults
from shared.apimachinery.manifest import GroupResource, Manifest, copy, metadata_of
from shared.errors import InvalidObject, MemberRefused
from shared.interpreter.replicas import ReplicaPlace, stated_replicas

_KEPT: tuple[str, ...] = ("apiVersion", "kind", "status")
_WORN = ("labels", "annotations")
_HUB_ONLY = (
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
)
_OWN_PREFIX = "hanse.dev/"


def choose_revision(
    revisions: Mapping[int, ResourceRevision], status: RolloutStatus, wanted: int | None
) -> ResourceRevision:
    """The one that is *wanted*; else the complete one, or that before it if nothing is under way.

    Raises `InvalidObject` where that is not kept.
    """
    number = wanted
    if number is None:
        under_way = status.complete_revision != status.target_revision
        number = status.complete_revision if under_way else status.previous_revision
        if not number:
            raise InvalidObject("there is no earlier revision to go back to")
    if number not in revisions:
        kept = ", ".join(str(one) for one in revisions) or "none"
        raise InvalidObject(f"revision {number} is not kept: {kept}")
    return revisions[number]


def restored(
    template: Manifest, revision: ResourceRevision, place: ReplicaPlace | None
) -> Manifest:
    """*template* with the words of *revision*."""
    old = copy(revision.spec.template)
    kept = {name: template[name] for name in _KEPT if name in template}
    metadata = dict(metadata_of(template))
    for name in _WORN:
        now: Manifest = metadata.pop(name, None) or {}
        worn: Manifest = dict(metadata_of(old).get(name) or ())
        worn.update((key, value) for key, value in now.items() if _is_the_hubs(key))
        if worn:
            metadata[name] = worn
    found = {**old, **kept, "metadata": metadata}
    _set_replicas(found, place, stated_replicas(place, template))
    return found


def _is_the_hubs(key: str) -> bool:
    return key.startswith(_OWN_PREFIX) or key in _HUB_ONLY


def _set_replicas(manifest: Manifest, place: ReplicaPlace | None, count: int | None) -> None:
    """Put *count* at *place* (None: no number), where there is something to put it into."""
    if place is None:
        return
    *parents, last = place.path
    within: Any = manifest
    for name in parents:
        within = within.get(name) if isinstance(within, dict) else None
    if not isinstance(within, dict):
        return
    if count is None:
        within.pop(last, None)
    else:
        within[last] = count


def changes(kind: GroupResource, shown: Manifest, wished: Manifest) -> Manifest:
    """The merge patch (RFC 7386) that makes *wished* of an object which the hub shows as *shown*.

    The hub shows defaults that nobody wrote: they are no difference, and are not written either.
    """
    return _changes(shown, with_defaults(kind, wished), wished)


def _changes(shown: Manifest, filled: Manifest, wished: Manifest) -> Manifest:
    patch: Manifest = {name: None for name in shown if name not in filled}
    for name, value in filled.items():
        before = shown.get(name)
        if name in shown and before == value and type(before) is type(value):
            continue
        said = wished.get(name)
        if isinstance(before, dict) and isinstance(value, dict):
            patch[name] = _changes(before, value, said if isinstance(said, dict) else {})
        else:
            patch[name] = said
    return patch


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of it; `remarks` are for people: what is not as it was, and stays so."""

    revision: int
    template: bool
    overrides: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


async def undo(subject: Subject, wanted: int | None, *, overrides: bool, dry_run: bool) -> Undone:
    """Put the template back, and with *overrides* the rules of override policies too.

    Raises `InvalidObject` where there is nothing to go back to.
    """
    rollout, revisions = await subject.rollout(), await subject.revisions()
    old = choose_revision(revisions, rollout.status, wanted)
    number = old.spec.revision
    written, remarks = [], []
    for then, now in _differences(old, revisions.get(rollout.status.target_revision)):
        named = then or now
        assert named is not None, "one of the two is there"
        policy = f"{named.namespace}/{named.name}" if named.namespace else named.name
        if then is None:
            remarks.append(f"{named.kind} {policy} did not apply then, and still does")
        elif not overrides:
            remarks.append(f"{named.kind} {policy} is not as it was; --overrides puts it back")
        elif await _put_rules_back(subject, then, dry_run=dry_run):
            written.append(policy)
        else:
            remarks.append(f"{named.kind} {policy} is gone, and has to be made anew")
    changed = await _put_template_back(subject, old, dry_run=dry_run)
    return Undone(number, changed, tuple(written), tuple(remarks))


Difference = tuple[RevisedOverride | None, RevisedOverride | None]


def _differences(old: ResourceRevision, present: ResourceRevision | None) -> list[Difference]:
    """Override policies that said another thing then; (then, now)."""
    before = {(one.kind, one.namespace, one.name): one for one in old.spec.overrides}
    after = {
        (one.kind, one.namespace, one.name): one
        for one in (present.spec.overrides if present is not None else ())
    }
    return [
        (before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


async def _put_rules_back(subject: Subject, then: RevisedOverride, *, dry_run: bool) -> bool:
    """Whether the policy is there to have its rules put back."""
    kind = hanse_kind("OverridePolicy", namespaced=bool(then.namespace))
    spec = {"overrideRules": section(then.rules), "targetCluster": None, "overriders": None}
    for attempt in range(ATTEMPTS):
        live = await subject.hub.get(kind, then.namespace, then.name)
        if live is None or dry_run:
            return live is not None
        version = metadata_of(live).get("resourceVersion")
        patch = {"metadata": {"resourceVersion": version}, "spec": spec}
        try:
            return await subject.hub.merge(kind, then.namespace, then.name, patch, manager=MANAGER)
        except MemberRefused as err:
            if not is_conflict(err) or attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")


async def _put_template_back(subject: Subject, old: ResourceRevision, *, dry_run: bool) -> bool:
    """Whether there was anything to put back."""
    for attempt in range(ATTEMPTS):
        template = await subject.template()
        place = await subject.replica_place(template)
        kind = GroupResource(subject.kind.gvk.group, subject.kind.resource)
        patch = changes(kind, template, restored(template, old, place))
        if not patch or dry_run:
            return bool(patch)
        version = metadata_of(template).get("resourceVersion")
        metadata = {**patch.get("metadata", {}), "resourceVersion": version}
        try:
            return await subject.hub.merge(
                subject.kind,
                subject.namespace,
                subject.name,
                {**patch, "metadata": metadata},
                manager=MANAGER,
            )
        except MemberRefused as err:
            if not is_conflict(err) or attempt + 1 == ATTEMPTS:
                raise
    raise AssertionError("the last attempt returns or raises")
