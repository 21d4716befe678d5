"""A gateway over ports that a test has already."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.gateway.service import open_gateway
from services.gateway.settings import Settings
from shared.bus.port import Bus
from shared.clock import SystemClock
from shared.memberapi.sealing import EnvelopeKey
from shared.runtime.kubeconfig import write_kubeconfig
from shared.runtime.probes import Readiness
from shared.runtime.tokens import ensure_token
from shared.store.port import ObjectStore


@asynccontextmanager
async def serving_gateway(store: ObjectStore, bus: Bus, folder: Path) -> AsyncIterator[Path]:
    """Yield a kubeconfig for it."""
    settings = Settings(port=0, tls_folder=folder / "tls", tokens_file=folder / "tokens")
    async with open_gateway(
        settings,
        store,
        bus,
        EnvelopeKey(b"k" * 32),
        readiness=Readiness(started=True),
        clock=SystemClock(),
    ) as gateway:
        kubeconfig = folder / "kubeconfig"
        write_kubeconfig(
            kubeconfig,
            name="hanse",
            server=gateway.listening.url,
            certificate_authority=(folder / "tls" / "ca.crt").read_bytes(),
            token=ensure_token(folder / "tokens"),
        )
        yield kubeconfig
