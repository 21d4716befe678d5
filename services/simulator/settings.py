"""What one simulated cluster is like, read from the environment."""

from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network
from pathlib import Path

from services.simulator.core.faults import Faults, read_faults
from shared.apimachinery.quantity import parse_quantity
from shared.runtime.environment import BadSetting
from shared.telemetry.setup import TelemetrySettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One cluster; quantities as Kubernetes writes them."""

    name: str = "simulated"
    """Names the context in the kubeconfig and the nodes."""

    region: str = ""
    """The nodes' label `topology.kubernetes.io/region`; empty for none."""

    zone: str = ""
    """The nodes' label `topology.kubernetes.io/zone`; empty for none."""

    provider: str = ""
    """Begins the nodes' provider ids."""

    host: str = "127.0.0.1"
    """The address to listen on."""

    port: int = 0
    """0 takes a free one."""

    advertised_host: str = ""
    """How others reach this cluster, for certificate and kubeconfig; empty is `host`."""

    folder: Path | None = None
    """Keeps certificate, token, identity and kubeconfig over restarts; never objects, but that a
    `backup.json` there (see GET /simulator/backup) is what the cluster begins with, once. None
    makes a folder that is gone afterwards."""

    nodes: int = 3
    """How many nodes there are at the start."""

    node_cpu: str = "8"
    """Allocatable processors of each node."""

    node_memory: str = "32Gi"
    """Allocatable memory of each node."""

    node_pods: int = 110
    """How many pods a node runs at most."""

    pod_ready: timedelta = timedelta(milliseconds=500)
    """How long a pod takes from its binding until it is ready."""

    pod_duration: timedelta = timedelta(seconds=1)
    """How long a pod of a Job runs until it succeeds."""

    controller_rest: timedelta = timedelta(0)
    """How long controllers rest after each turn while clients write, as the limits of real ones
    make them (docs/adr/0012); zero rolls out as fast as the processor allows."""

    failing_images: tuple[str, ...] = ()
    """Containers whose image contains one of these texts never start (ImagePullBackOff)."""

    pod_network: str = "10.64.0.0/12"
    """Where its pods get their addresses from."""

    version: str = "v1.36.0+simulated"
    """The Kubernetes version that is reported."""

    history: int = 10_000
    """Changes kept for watches that resume."""

    faults: str = ""
    """Faults from the start, as the JSON that POST /simulator/faults takes; empty for none."""

    telemetry: TelemetrySettings = field(default_factory=TelemetrySettings)

    def __post_init__(self) -> None:
        for variable, check in (
            ("HANSE_NODE_CPU", lambda: parse_quantity(self.node_cpu)),
            ("HANSE_NODE_MEMORY", lambda: parse_quantity(self.node_memory)),
            ("HANSE_POD_NETWORK", lambda: IPv4Network(self.pod_network)),
            ("HANSE_FAULTS", lambda: self.first_faults),
        ):
            try:
                check()
            except ValueError as err:
                raise BadSetting(f"{variable}: {err}") from err

    @property
    def first_faults(self) -> Faults:
        return read_faults(self.faults) if self.faults else Faults()


SERVICE_NETWORK = IPv4Network("10.96.0.0/16")
BALANCER_NETWORK = IPv4Network("192.0.2.0/24")
INGRESS_ADDRESS = "198.51.100.1"
API_ADDRESS = str(SERVICE_NETWORK[1])
