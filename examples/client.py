"""Another system talks to Hanse over NATS: objects, commands and events.

python examples/client.py nats://127.0.0.1:4222 path/to/nats-credentials.json
"""

import asyncio
import sys
from pathlib import Path

from hanse.client import HubRefused, connect

SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "greeting", "namespace": "default"},
    "data": {"text": "hello"},
}


async def main(url: str, credentials: Path | None) -> None:
    async with (
        connect(url, credentials, source="examples/client") as hanse,
        hanse.events("command.>", "cluster.>") as facts,
    ):
        # 1. Requests: answered now.
        applied = await hanse.apply(SETTINGS)
        print("applied at version", applied["metadata"]["resourceVersion"])
        async for cluster in hanse.list("hanse.dev/v1alpha1", "Cluster"):
            print("member:", cluster["metadata"]["name"])

        # 2. Commands: kept until the hub has carried them out.
        changed = {**SETTINGS, "data": {"text": "good day"}}
        await hanse.carry_out(hanse.applying(changed))
        try:
            await hanse.carry_out(hanse.scaling("v1", "ConfigMap", "greeting", 3))
        except HubRefused as refusal:
            print("refused, as it should be:", refusal)
        await hanse.carry_out(hanse.deleting("v1", "ConfigMap", "greeting"))

        # 3. Events: what happened, for whoever wants to know.
        seen = 0
        async for fact in facts:
            print(fact.type, dict(fact.data))
            seen += 1
            if seen == 3:
                return


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: client.py NATS_URL [CREDENTIALS_FILE]")
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]) if len(sys.argv) > 2 else None))
