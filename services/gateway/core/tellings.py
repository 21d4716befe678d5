"""What a fact of Hanse says to those who look at an object, in the words of an Event. Pure.

One fact may speak of several objects, and several facts may say the same: those with one `about`,
`reason` and `message` are one Event that counts. Where the clusters alone differ they are gathered,
so that an object which a hundred clusters hold has one Event that says so.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from shared.api.meta import API_VERSION, GROUP
from shared.api.multicluster import EXPORT, IMPORT, SERVICES_API, export_key, import_key
from shared.api.traffic_columns import percent
from shared.apimachinery.manifest import Manifest, ObjectKey, uid_of
from shared.events.cluster import (
    ClusterBecameNotReady,
    ClusterBecameUnreachable,
    ClusterCredentialsExpiring,
    ClusterFact,
    ClusterFailoverHeld,
    ClusterFenced,
    ClusterJoined,
    ClusterLeft,
    ClusterRecovered,
    ClusterRefusedCredentials,
    ClusterSuspected,
    ClusterTainted,
)
from shared.events.drift import (
    DriftContested,
    DriftCorrected,
    DriftDetected,
    DriftedField,
    DriftFact,
    DriftSettled,
)
from shared.events.placement import PlacementDecided, PlacementStalled
from shared.events.references import ReferenceMissed
from shared.events.rollout import (
    AnyRolloutFact,
    ApprovalRequested,
    RolloutCompleted,
    RolloutFact,
    RolloutFailed,
    RolloutRolledBack,
    RolloutStarted,
    StageReleased,
)
from shared.events.service_facts import (
    ServiceConflicted,
    ServiceFact,
    ServiceImported,
    ServiceWithdrawn,
)
from shared.events.traffic import SplitChanged
from shared.events.work_facts import (
    OverrideFailed,
    WorkApplied,
    WorkFact,
    WorkRefused,
    WorkRemoved,
    WorkStrayed,
)
from shared.events.zones import ZoneChanged

MESSAGE_CHARACTERS_MAX = 1_024
"""As Kubernetes bounds the message of an Event."""

_FIELDS_TOLD_MAX = 3

Fact = (
    PlacementDecided
    | WorkApplied
    | WorkRefused
    | WorkRemoved
    | WorkStrayed
    | OverrideFailed
    | ReferenceMissed
    | PlacementStalled
    | DriftCorrected
    | DriftDetected
    | DriftContested
    | DriftSettled
    | ClusterJoined
    | ClusterLeft
    | ClusterSuspected
    | ClusterBecameNotReady
    | ClusterRefusedCredentials
    | ClusterBecameUnreachable
    | ClusterCredentialsExpiring
    | ClusterFailoverHeld
    | ClusterFenced
    | ClusterTainted
    | ClusterRecovered
    | AnyRolloutFact
    | SplitChanged
    | ServiceFact
    | ZoneChanged
)

_decoder: msgspec.json.Decoder[Fact] = msgspec.json.Decoder(Fact)


class About(NamedTuple):
    """The object of an Event; what is "" is looked up where `key` says the object is."""

    namespace: str
    name: str
    api_version: str = ""
    kind: str = ""
    uid: str = ""
    key: ObjectKey | None = None


class Telling(NamedTuple):
    """`cluster`, where it is not "", ends the message, with those of other tellings like it."""

    about: About
    service: str
    reason: str
    message: str
    cluster: str = ""
    warning: bool = False


def read_fact(body: bytes) -> Fact | None:
    """Return the fact; None for what is no fact that objects are told of, or a newer one."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError:
        return None


def tellings_of(fact: Fact) -> Iterator[Telling]:
    """Yield what *fact* says, of one object after the other."""
    if isinstance(fact, PlacementDecided):
        yield from _of_placement(fact)
    elif isinstance(fact, WorkFact):
        yield _of_work(fact)
    elif isinstance(fact, DriftFact):
        yield _of_drift(fact)
    elif isinstance(fact, RolloutFact):
        yield _of_rollout(fact)
    elif isinstance(fact, OverrideFailed):
        yield _of_override(fact)
    elif isinstance(fact, ReferenceMissed):
        yield _of_reference(fact)
    elif isinstance(fact, PlacementStalled):
        yield _of_stall(fact)
    elif isinstance(fact, SplitChanged):
        yield _of_split(fact)
    elif isinstance(fact, ServiceFact):
        yield _of_service(fact)
    elif isinstance(fact, ZoneChanged):
        yield from _of_zone(fact)
    else:
        yield _of_cluster(fact)


def completed(about: About, found: Manifest | None) -> About | None:
    """Fill in what *about* leaves out by the object itself; None where nobody knows its kind."""
    if found is not None and not about.uid:
        about = about._replace(uid=uid_of(found))
    if found is not None and not about.kind:
        about = about._replace(kind=found["kind"], api_version=found["apiVersion"])
    return about._replace(key=None) if about.kind else None


def _of_placement(fact: PlacementDecided) -> Iterator[Telling]:
    if not fact.scheduled:
        reason, warning = "FailedScheduling", True
    else:
        reason, warning = "Moving" if fact.leaving else "Scheduled", False
    about = [About(fact.namespace, fact.name, fact.api_version, fact.kind, fact.uid)]
    if fact.binding:
        kind = "ResourceBinding" if fact.namespace else "ClusterResourceBinding"
        about.append(About(fact.namespace, fact.binding, API_VERSION, kind, fact.binding_uid))
    for one in about:
        yield Telling(one, "scheduler", reason, fact.message, warning=warning)


def _of_work(fact: WorkFact) -> Telling:
    if isinstance(fact, WorkStrayed):
        name = f"{fact.namespace}/{fact.name}" if fact.namespace else fact.name
        message = f"{fact.kind} {name} bears Hanse's marks, and nothing of it is ordered; it stays"
        return Telling(_cluster(fact.cluster), "propagator", "Strayed", message, warning=True)
    about = _object(fact)._replace(uid=fact.template_uid)
    if isinstance(fact, WorkRefused):
        reason = "Conflict" if fact.reason == "AlreadyExists" else "Refused"
        message = f"{fact.cluster}: {fact.reason}: {fact.message}"
        return Telling(about, "propagator", reason, message, warning=True)
    if isinstance(fact, WorkRemoved):
        message = "left as the member's own in" if fact.preserved else "removed from"
        return Telling(about, "propagator", "Removed", message, fact.cluster)
    message = f"generation {fact.template_generation} applied to"
    return Telling(about, "propagator", "Applied", message, fact.cluster)


def _of_drift(fact: DriftFact) -> Telling:
    what = "it was deleted there" if fact.change == "Deleted" else _edited(fact.fields)
    reason, end, warning = {
        DriftCorrected: ("DriftCorrected", "put right", False),
        DriftDetected: ("DriftDetected", "left as it is by policy", True),
        DriftContested: ("DriftContested", "somebody keeps undoing the correction", True),
        DriftSettled: ("DriftSettled", "over", False),
    }[type(fact)]
    return Telling(
        _object(fact),
        "propagator",
        reason,
        f"{fact.cluster}: {what}; {end}",
        warning=warning,
    )


def _edited(fields: tuple[DriftedField, ...]) -> str:
    told = [f"{one.path} by {one.actor}" for one in fields[:_FIELDS_TOLD_MAX]]
    more = len(fields) - len(told)
    return ", ".join((*told, *((f"{more} more",) if more else ()))) + " changed"


def _of_override(fact: OverrideFailed) -> Telling:
    resource, _, group = fact.resource.partition(".")
    place = f"{fact.policy_namespace}/" if fact.policy_namespace else ""
    return Telling(
        About(
            fact.namespace,
            fact.name,
            key=ObjectKey(group, resource, fact.namespace, fact.name),
        ),
        "propagator",
        "OverrideFailed",
        f"{fact.cluster}: override policy {place}{fact.policy}: {fact.message}",
        warning=True,
    )


def _of_reference(fact: ReferenceMissed) -> Telling:
    resource, _, group = fact.resource.partition(".")
    key = ObjectKey(group, resource, fact.namespace, fact.name)
    about = About(fact.namespace, fact.name, uid=fact.template_uid, key=key)
    return Telling(about, "scheduler", "ReferenceMissing", fact.message, warning=True)


def _of_stall(fact: PlacementStalled) -> Telling:
    resource, _, group = fact.resource.partition(".")
    key = ObjectKey(group, resource, fact.namespace, fact.name)
    about = About(fact.namespace, fact.name, uid=fact.template_uid, key=key)
    return Telling(about, "scheduler", "SchedulerFault", fact.message, warning=True)


def _of_rollout(fact: RolloutFact) -> Telling:
    warning, what = False, ""
    match fact:
        case RolloutStarted():
            what = f"revision {fact.revision} is on its way"
        case StageReleased():
            what = f"stage {fact.stage} may have revision {fact.revision}"
        case ApprovalRequested():
            what = f"stage {fact.stage} waits for somebody to approve revision {fact.revision}"
        case RolloutFailed():
            warning, what = True, f"revision {fact.revision}: {fact.message}"
        case RolloutRolledBack():
            what = f"every cluster holds revision {fact.complete_revision} again"
        case RolloutCompleted():
            what = f"every cluster was given revision {fact.revision}"
    return Telling(_object(fact), "propagator", type(fact).__name__, what, warning=warning)


def _cluster(name: str) -> About:
    return About("", name, API_VERSION, "Cluster", key=ObjectKey(GROUP, "clusters", "", name))


def _of_cluster(fact: ClusterFact) -> Telling:
    about = _cluster(fact.cluster)
    match fact:
        case ClusterJoined():
            message = f"joined the federation with Kubernetes {fact.kubernetes_version}"
            return Telling(about, "registry", "Joined", message)
        case ClusterBecameUnreachable():
            held = "" if fact.tainted else "; nothing is moved: too many seem gone at once"
            return Telling(about, "health", "Unreachable", f"{fact.message}{held}", warning=True)
        case ClusterRecovered():
            return Telling(about, "health", "Recovered", fact.message or "it answers again")
        case ClusterSuspected():
            message = f"{fact.message}; what runs there stays as it is"
            return Telling(about, "health", "Suspect", message, warning=True)
        case ClusterBecameNotReady():
            return Telling(about, "health", "NotReady", fact.message, warning=True)
        case ClusterRefusedCredentials():
            return Telling(about, "health", "CredentialsRefused", fact.message, warning=True)
        case ClusterCredentialsExpiring():
            message = f"credentials: {fact.message}; give new ones with hanse join"
            return Telling(about, "health", "CredentialsExpiring", message, warning=True)
        case ClusterFailoverHeld():
            return Telling(about, "health", "FailoverHeld", fact.message, warning=True)
        case ClusterFenced():
            message = f"not heard for {fact.silent_seconds:.0f} s; what is fenced has stopped there"
            return Telling(about, "health", "Fenced", message, warning=True)
        case ClusterTainted():
            message = f"{fact.message}; what does not tolerate that leaves it"
            return Telling(about, "health", "Tainted", message, warning=True)
    return Telling(about, "registry", "Left", "left the federation")


def _of_split(fact: SplitChanged) -> Telling:
    """Of traffic from no region in particular; the regions' own are in the status."""
    about = About(fact.namespace, fact.policy, API_VERSION, "TrafficPolicy", fact.uid)
    shares = next((one.shares for one in fact.after if not one.region), ())
    takers = [f"{one.cluster} {percent(one.share)}" for one in shares if one.share]
    if not takers:
        why = ", ".join(f"{name}: {reason}" for name, reason in fact.reasons.items())
        message = f"traffic goes nowhere ({why or 'nobody exports the service'})"
        return Telling(about, "traffic", "Unrouted", message, warning=True)
    shift = f"; shift: {fact.shift}" if fact.shift else ""
    return Telling(about, "traffic", "Split", f"traffic goes to {', '.join(takers)}{shift}")


def _of_zone(fact: ZoneChanged) -> Iterator[Telling]:
    """What is amiss with it, or that nothing is."""
    about = About("", fact.zone, API_VERSION, "GlobalZone", fact.uid)
    amiss = [one for one in fact.conditions if one.status != "True"]
    for one in amiss:
        yield Telling(about, "traffic", one.reason, one.message, warning=True)
    if not amiss:
        yield Telling(about, "traffic", "Answered", f"names of {fact.domain} are answered for")


def _of_service(fact: ServiceFact) -> Telling:
    """Of an import at the hub; what is refused is an export there, if it is one."""
    place, about = (fact.namespace, fact.name), About(fact.namespace, fact.name)
    imported = about._replace(key=import_key(*place), api_version=SERVICES_API, kind=IMPORT)
    match fact:
        case ServiceImported():
            message = f"known in members, exported by {', '.join(fact.clusters)}"
            return Telling(imported, "traffic", "Imported", message)
        case ServiceWithdrawn():
            return Telling(imported, "traffic", "Withdrawn", "nobody exports it any more")
        case ServiceConflicted():
            message = fact.message or "all exports agree again"
            return Telling(imported, "traffic", "Conflict", message, warning=bool(fact.reasons))
    export = about._replace(key=export_key(*place), api_version=SERVICES_API, kind=EXPORT)
    return Telling(export, "traffic", fact.reason, fact.message, fact.cluster, warning=True)


def _object(fact: Any) -> About:
    """The template that a fact about a member's object, or about a rollout, is about."""
    group, _, _ = fact.api_version.rpartition("/")
    return About(
        fact.namespace,
        fact.name,
        fact.api_version,
        fact.kind,
        key=ObjectKey(group, fact.resource, fact.namespace, fact.name),
    )
