"""One trace from the request to the gateway to the member and back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from hanse.local.federation import FederationSettings, start_federation
from shared.apimachinery.manifest import Manifest, encode
from shared.memberapi.credentials import MemberCredentials, read_kubeconfig

DEADLINE = 45.0
TRACE = "0af7651916cd43dd8448eb211c80319c"
POLICY: Manifest = {
    "apiVersion": "hanse.dev/v1alpha1",
    "kind": "PropagationPolicy",
    "metadata": {"name": "all", "namespace": "default"},
    "spec": {"resourceSelectors": [{"apiVersion": "apps/v1", "kind": "Deployment"}]},
}
DEPLOYMENT: Manifest = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "registry.example/web:1"}]},
        },
    },
}


class Collector:
    """Takes OTLP over HTTP and keeps which services have a span in which trace."""

    def __init__(self) -> None:
        self.services: dict[str, set[str]] = {}

    async def export(self, request: web.Request) -> web.Response:
        message = ExportTraceServiceRequest.FromString(await request.read())
        for resource in message.resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    trace = span.trace_id.hex()
                    self.services.setdefault(trace, set()).add(names["service.name"])
        return web.Response()


@asynccontextmanager
async def collecting() -> AsyncIterator[tuple[Collector, str]]:
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.export)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield collector, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def apply_traced(hub: MemberCredentials, path: str, manifest: Manifest) -> None:
    headers = {
        "Authorization": f"Bearer {hub.token}",
        "Content-Type": "application/apply-patch+yaml",
        "traceparent": f"00-{TRACE}-b7ad6b7169203331-01",
    }
    async with (
        aiohttp.ClientSession(trust_env=False) as session,
        session.patch(
            f"{hub.server}{path}",
            params={"fieldManager": "test"},
            data=encode(manifest),
            headers=headers,
            ssl=hub.ssl_context() or False,
        ) as response,
    ):
        assert response.status == 201, await response.text()


@pytest.mark.timeout(150)
async def test_one_trace_runs_from_the_request_to_the_member_and_back(tmp_path: Path) -> None:
    async with collecting() as (collector, endpoint):
        settings = FederationSettings(
            data_dir=tmp_path,
            clusters=1,
            service_environment={
                "HANSE_TELEMETRY_OTLP_ENDPOINT": endpoint,
                # Exported every so often: sooner than by default, for the test's sake.
                "OTEL_BSP_SCHEDULE_DELAY": "200",
            },
        )
        async with start_federation(settings) as federation:
            await federation.hub.apply(POLICY)
            hub = read_kubeconfig(federation.kubeconfig)
            path = "/apis/apps/v1/namespaces/default/deployments/web"
            await apply_traced(hub, path, DEPLOYMENT)
            wanted = {f"hanse-{name}" for name in ("gateway", "scheduler", "propagator", "health")}
            try:
                async with asyncio.timeout(DEADLINE):
                    while not wanted <= collector.services.get(TRACE, set()):
                        await asyncio.sleep(0.1)
            except TimeoutError:
                pytest.fail(f"the trace was seen in {collector.services.get(TRACE)} only")
