"""HAProxy: a configuration for all plans, and the commands by which it changes while it runs.

Every backend has more servers than endpoints: the rest wait in maintenance until there is something
for them. So weights, endpoints and clusters come and go by its runtime API, and it is begun anew
only for another backend, another host, or more endpoints than it has servers for. A server without
a share is in maintenance: what it has under way ends well, and nobody new comes, not even who stuck
to it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from services.traffic.core.plans import address_type, authority
from services.traffic.core.renderers.weighing import weigh
from shared.events.traffic import PlanBackend, TrafficPlan

WEIGHT_MAX = 256
_SERVERS_MIN = 4
_IDLE = ("127.0.0.1", 1)
_HOST = re.compile(r"[0-9A-Za-z][-0-9A-Za-z.:]{0,252}")
"""What may stand in a configuration: an address that a member made up never breaks out of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Where the load balancer listens. `region` is where its clients are."""

    socket: str
    address: str = "127.0.0.1"
    http_port: int = 8080
    region: str = ""
    interval_milliseconds: int = 500
    """Between two checks of a server; half of that while it is in doubt."""


@dataclass(frozen=True, slots=True)
class Server:
    """One place for an endpoint; `cluster` is empty while it waits for one."""

    name: str
    cluster: str = ""
    host: str = _IDLE[0]
    port: int = _IDLE[1]
    weight: int = 0
    serving: bool = False

    @property
    def endpoint(self) -> tuple[str, str, int]:
        return (self.cluster, self.host, self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A backend of HAProxy: one plan."""

    plan: TrafficPlan
    servers: tuple[Server, ...]

    @property
    def name(self) -> str:
        # Neither part has an underscore.
        return f"{self.plan.namespace}_{self.plan.policy}"

    @property
    def stable(self) -> tuple[object, ...]:
        """What it takes a new start to change."""
        plan = self.plan
        affinity = (plan.session_affinity, plan.session_seconds)
        names = tuple(one.host for one in self.servers if address_type(one.host) == "FQDN")
        return (plan.hosts, plan.port, plan.protocol, affinity, len(self.servers), names)


Layout = Mapping[str, Pool]


def lay_out(plans: Iterable[TrafficPlan], region: str, before: Layout) -> Layout:
    """Give every endpoint a server, the one it had *before* where it had one.

    *plans* are such as it can carry together (`fronts.py`).
    """
    found: dict[str, Pool] = {}
    for plan in plans:
        pool = Pool(plan=plan, servers=())
        known = before.get(pool.name)
        found[pool.name] = replace(pool, servers=_servers(plan, region, known))
    return found


def _servers(plan: TrafficPlan, region: str, known: Pool | None) -> tuple[Server, ...]:
    shares = plan.shares_from(region)
    weighed: dict[tuple[str, str, int], int] = {}
    by_cluster: dict[str, list[PlanBackend]] = {}
    for one in plan.backends:
        if _HOST.fullmatch(one.host) and 0 < one.port < 65_536:
            by_cluster.setdefault(one.cluster, []).append(one)
    for cluster, weights in weigh(shares, by_cluster, WEIGHT_MAX).items():
        for one, weight in zip(by_cluster[cluster], weights, strict=True):
            weighed[one.cluster, one.host, one.port] = weight
    servers = [*known.servers] if known is not None else []
    size = max(_SERVERS_MIN, len(servers))
    while size < len(weighed):
        size *= 2
    servers += [Server(f"s{number + 1}") for number in range(len(servers), size)]
    free = [number for number, one in enumerate(servers) if one.endpoint not in weighed]
    held = {one.endpoint for one in servers}
    for number in free:
        servers[number] = replace(servers[number], weight=0, serving=False)
    for cluster, host, port in sorted(weighed.keys() - held):
        number = free.pop(0)
        servers[number] = replace(servers[number], cluster=cluster, host=host, port=port)
    return tuple(
        replace(
            one,
            weight=weighed.get(one.endpoint, 0),
            serving=one.endpoint in weighed and one.cluster in shares,
        )
        for one in servers
    )


def commands(before: Layout, after: Layout) -> list[str] | None:
    """Return what to say over the runtime API; None where it has to begin anew.

    Who takes more comes first, so that there is always somebody.
    """
    if before.keys() != after.keys():
        return None
    grow, shrink = [], []
    for name, pool in after.items():
        old = before[name]
        if old.stable != pool.stable:
            return None
        for was, now in zip(old.servers, pool.servers, strict=True):
            if was == now:
                continue
            target = f"set server {name}/{now.name}"
            if was.endpoint != now.endpoint:
                grow += [f"{target} state maint"] if was.serving else []
                grow.append(f"{target} addr {now.host} port {now.port}")
            begins = now.serving and (not was.serving or was.endpoint != now.endpoint)
            if begins or (now.serving and was.weight != now.weight):
                grow.append(f"{target} weight {now.weight}")
            grow += [f"{target} state ready"] if begins else []
            if was.serving and not now.serving and was.endpoint == now.endpoint:
                shrink.append(f"{target} state maint")
    return grow + shrink


def configuration(layout: Layout, front: Front) -> str:
    """Return the whole file."""
    parts = [_HEAD.format(socket=front.socket)]
    parts += [_frontend_of_hosts(layout, front)]
    for name, pool in layout.items():
        if not pool.plan.hosts:
            parts.append(_frontend(name, pool.plan, front))
    parts += [_backend(name, pool, front) for name, pool in layout.items()]
    return "\n".join(part for part in parts if part)


_HEAD = """\
# Written by Hanse, which takes back what is changed here.
global
    stats socket {socket} mode 600 level admin expose-fd listeners
    stats timeout 1m
    # A process that is replaced ends idle connections with their next answer, not under it.
    close-spread-time infinite
    hard-stop-after 5m

defaults
    timeout connect 2s
    timeout client 1m
    timeout server 1m
    timeout queue 10s
    retries 3
    option redispatch 1
"""


def _frontend_of_hosts(layout: Layout, front: Front) -> str:
    lines = []
    # Names before patterns: who says its name has its own backend.
    for is_pattern in (False, True):
        for name, pool in layout.items():
            for host in pool.plan.hosts:
                if host.startswith("*.") == is_pattern:
                    how = f"-m end {host[1:]}" if is_pattern else f"-m str {host}"
                    lines.append(
                        f"    use_backend {name} if {{ req.hdr(host),field(1,:),lower {how} }}"
                    )
    if not lines:
        return ""
    bind = authority(front.address, front.http_port)
    return "\n".join(["frontend hosts", "    mode http", f"    bind {bind}", *lines, ""])


def _frontend(name: str, plan: TrafficPlan, front: Front) -> str:
    bind = authority(front.address, plan.port)
    lines = [f"frontend to_{name}", f"    mode {plan.protocol.lower()}", f"    bind {bind}"]
    return "\n".join([*lines, f"    default_backend {name}", ""])


def _backend(name: str, pool: Pool, front: Front) -> str:
    plan, inter = pool.plan, front.interval_milliseconds
    lines = [f"backend {name}", f"    mode {plan.protocol.lower()}", "    balance roundrobin"]
    is_cookie = plan.session_affinity == "Cookie" and plan.protocol == "HTTP"
    if is_cookie:
        idle = f"maxidle {plan.session_seconds}s"
        lines.append(f"    cookie hanse-{plan.service} insert indirect nocache {idle}")
    elif plan.session_affinity != "None":
        lines.append(f"    stick-table type ipv6 size 1m expire {plan.session_seconds}s")
        lines.append("    stick on src")
    doubt = f"fastinter {inter // 2}ms downinter {inter}ms fall 2 rise 2"
    lines.append(f"    default-server check inter {inter}ms {doubt} init-addr last,libc,none")
    lines.append("    default-server observe layer4 error-limit 2 on-error mark-down")
    for one in pool.servers:
        words = [f"    server {one.name} {authority(one.host, one.port)} weight {one.weight}"]
        words += [f"cookie {one.name}"] if is_cookie else []
        words += [] if one.serving else ["disabled"]
        lines.append(" ".join(words))
    return "\n".join([*lines, ""])


def endpoints_in(layout: Layout) -> Mapping[tuple[str, str], str]:
    """Return the cluster of each server that has one, by the names of backend and server."""
    return {
        (name, one.name): one.cluster
        for name, pool in layout.items()
        for one in pool.servers
        if one.cluster
    }


def is_done(answer: str) -> bool:
    """Whether an answer of the runtime API says that it did what it was told."""
    words = answer.strip()
    return not words or "no need to change" in words or "changed from" in words


def read_counters(table: str) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Read requests and errors of each server out of what `show stat` answers (CSV)."""
    lines = table.removeprefix("# ").splitlines()
    names = lines[0].split(",") if lines else []
    found = {}
    for line in lines[1:]:
        row = dict(zip(names, line.split(","), strict=False))
        if row.get("svname", "") in ("", "FRONTEND", "BACKEND"):
            continue
        requests = _number(row, "stot")
        errors = sum(_number(row, name) for name in ("hrsp_5xx", "econ", "eresp"))
        found[row["pxname"], row["svname"]] = (requests, min(requests, errors))
    return found


def _number(row: Mapping[str, str], name: str) -> int:
    text = row.get(name, "")
    return int(text) if text.isdigit() else 0
