"""Making a cluster a member: first look whether it can be one, then register it.

Everything that would go wrong later is looked for beforehand, all of it at once, and said plainly.
The registry proves the identity again and has the last word (condition Joined).
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from shared.api.cluster import JOINED, Cluster, ClusterSpec
from shared.api.conditions import find_condition
from shared.api.meta import API_VERSION, GROUP, VERSION, read, section
from shared.apimachinery.manifest import GroupVersionKind, Manifest, encode, uid_of
from shared.errors import (
    HanseError,
    MemberRefused,
    MemberThrottled,
    MemberUnreachable,
    TerminalError,
)
from shared.interpreter.versions import VERSION_MIN, is_supported, read_version
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.handover import encode_handover
from shared.memberapi.port import MemberApi, ResourceType

CLUSTERS = ResourceType(GroupVersionKind(GROUP, VERSION, "Cluster"), "clusters", namespaced=False)
_NAMESPACES = ResourceType(GroupVersionKind("", "v1", "Namespace"), "namespaces", namespaced=False)
_REVIEWS = ResourceType(
    GroupVersionKind("authorization.k8s.io", "v1", "SelfSubjectAccessReview"),
    "selfsubjectaccessreviews",
    namespaced=False,
)
# What is named when "everything" is not allowed: the least a member is of use with.
_NEEDED = (
    ("", "namespaces", "create"),
    ("", "nodes", "list"),
    ("", "pods", "list"),
    ("", "configmaps", "patch"),
    ("", "secrets", "patch"),
    ("", "services", "patch"),
    ("apps", "deployments", "patch"),
    ("apps", "deployments", "delete"),
    ("apps", "deployments", "watch"),
    ("apiextensions.k8s.io", "customresourcedefinitions", "patch"),
    ("rbac.authorization.k8s.io", "clusterroles", "escalate"),
)
_REFUSALS = frozenset(
    {"AlreadyMember", "HubItself", "IdentityChanged", "UnsupportedVersion", "NoIdentity"}
)
_POLL_SECONDS = 0.2
_PROBE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """A member's name and where it is."""

    name: str
    region: str = ""
    zone: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that keeps a cluster from being a member, and what to do about it."""

    what: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}" if self.remedy else self.what


class JoinRefused(TerminalError):
    """The cluster cannot be a member as things are; `findings` say why."""

    def __init__(self, name: str, findings: list[Finding]) -> None:
        lines = "".join(f"\n  - {finding}" for finding in findings)
        super().__init__(f"{name} cannot join:{lines}", reason="JoinRefused")
        self.findings = findings


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found out about a cluster; it may join if there are no findings."""

    id: str
    version: str
    findings: list[Finding]


async def join(
    hub: MemberApi,
    member: MemberApi,
    place: Place,
    credentials: MemberCredentials,
    *,
    deadline: timedelta = timedelta(seconds=60),
) -> Cluster:
    """Examine, register, and wait until the registry says Joined; returns the member.

    Raises `JoinRefused`, and as every call to the hub.
    """
    found = await examine(member)
    findings = [*found.findings, *await _name_findings(hub, place.name, found.id)]
    if findings:
        raise JoinRefused(place.name, findings)
    await register(hub, place, credentials)
    return await wait_until_joined(hub, place.name, deadline)


async def examine(member: MemberApi) -> Examination:
    """Look at a cluster by its own API; whatever is wrong is a finding, nothing is raised."""
    try:
        version = read_version(await member.read("/version", deadline_seconds=_PROBE_SECONDS))
        namespace = await member.get(_NAMESPACES, "", "kube-system")
    except (MemberUnreachable, MemberThrottled) as err:
        return Examination("", "", [Finding("it cannot be reached", str(err))])
    except MemberRefused as err:
        refusals = [_refusal(err)]
        if err.status == 403 and not _is_anonymous(err):
            refusals += await _permission_findings(member)
        return Examination("", "", refusals)
    findings = []
    if not is_supported(version):
        least = ".".join(map(str, VERSION_MIN))
        findings.append(
            Finding(f"it runs Kubernetes {version or '?'}", f"at least {least} is needed")
        )
    if namespace is None:
        findings.append(Finding("it has no namespace kube-system", "by which a cluster is known"))
    findings += await _permission_findings(member)
    return Examination(uid_of(namespace) if namespace is not None else "", version, findings)


def _refusal(error: MemberRefused) -> Finding:
    if error.status == 401:
        return Finding(
            "it does not accept the credentials",
            "the token may have expired; give a kubeconfig that works",
        )
    if _is_anonymous(error):
        return Finding(
            "the kubeconfig's user has no credentials", "give it a token or a client certificate"
        )
    if error.status == 403:
        return Finding("the credentials may not read namespaces", str(error))
    return Finding("it does not answer like a Kubernetes API", str(error))


def _is_anonymous(error: MemberRefused) -> bool:
    return error.status == 403 and '"system:anonymous"' in str(error)


async def _permission_findings(member: MemberApi) -> list[Finding]:
    """Ask the member itself what these credentials may do."""
    try:
        if await _may(member, "*", "*", "*"):
            return []
        refused = [
            f"{verb} {resource}{'.' + group if group else ''}"
            for group, resource, verb in _NEEDED
            if not await _may(member, group, resource, verb)
        ]
    except HanseError as err:
        return [Finding("its permissions cannot be asked for", str(err))]
    remedy = "bind them to the ClusterRole cluster-admin, or to one that allows * on *.*"
    what = "the credentials may not do everything that may be propagated"
    return [Finding(f"{what} (not: {', '.join(refused)})" if refused else what, remedy)]


async def _may(member: MemberApi, group: str, resource: str, verb: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "metadata": {},
        "spec": {"resourceAttributes": {"group": group, "resource": resource, "verb": verb}},
    }
    answer = await member.create(_REVIEWS, "", review)
    return bool((answer.get("status") or {}).get("allowed"))


async def _name_findings(hub: MemberApi, name: str, identity: str) -> list[Finding]:
    """Look whether the cluster, or the name, is taken."""
    if not identity:
        return []
    findings = []
    own = await hub.get(_NAMESPACES, "", "kube-system")
    if own is not None and uid_of(own) == identity:
        findings.append(
            Finding(
                "it is this federation itself", "give the kubeconfig of the cluster that shall join"
            )
        )
    for item in (await hub.list(CLUSTERS)).items:
        other = read(item, Cluster)
        if other.status.id == identity and other.metadata.name != name:
            findings.append(
                Finding(
                    f"it is a member already, as {other.metadata.name}",
                    f"`hanse leave {other.metadata.name}` first, to join under another name",
                )
            )
        if other.metadata.name == name and other.status.id not in ("", identity):
            findings.append(
                Finding(
                    f"another cluster is a member as {name}",
                    f"choose another name, or `hanse leave {name}` first",
                )
            )
    return findings


def cluster_manifest(place: Place, endpoint: str) -> Manifest:
    spec = ClusterSpec(
        api_endpoint=endpoint, provider=place.provider, region=place.region, zone=place.zone
    )
    return {
        "apiVersion": API_VERSION,
        "kind": "Cluster",
        "metadata": {"name": place.name},
        "spec": section(spec),
    }


async def register(hub: MemberApi, place: Place, credentials: MemberCredentials) -> None:
    """Create or update the `Cluster`, then hand over its credentials; may be repeated."""
    manifest = cluster_manifest(place, credentials.server)
    await hub.apply(CLUSTERS, "", place.name, encode(manifest))
    path = f"{CLUSTERS.path(name=quote(place.name, safe=''))}/credentials"
    await hub.put(path, encode_handover(credentials))


async def wait_until_joined(hub: MemberApi, name: str, deadline: timedelta) -> Cluster:
    """Wait for the registry's word; raises `JoinRefused` where it is no, or none in time."""
    message = "the registry has not looked at it yet; is it running?"
    try:
        async with asyncio.timeout(deadline.total_seconds()):
            while True:
                manifest = await hub.get(CLUSTERS, "", name)
                if manifest is None:
                    raise JoinRefused(name, [Finding("its registration was deleted meanwhile")])
                cluster = read(manifest, Cluster)
                joined = find_condition(cluster.status.conditions, JOINED)
                if joined is not None:
                    if joined.status == "True":
                        return cluster
                    message = f"{joined.reason}: {joined.message}"
                    if joined.reason in _REFUSALS:
                        raise JoinRefused(name, [Finding(joined.message)])
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError as err:
        waited = f"it has not joined within {deadline.total_seconds():g} s"
        raise JoinRefused(name, [Finding(waited, message)]) from err
