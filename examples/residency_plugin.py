"""A plugin of the scheduler: data stays where its label says, and near to a disk that suits it.

python examples/residency_plugin.py nats://127.0.0.1:4222 path/to/nats-credentials.json

It answers for policies with

    placement:
      plugins:
      - {name: residency, filter: true, weight: 20, failurePolicy: Fail}

An object with the label `example.com/residency: eu` goes to clusters with the same label only. Of
these it likes those with `example.com/disk: nvme` better. Nothing here is of Hanse's own: a plugin
is a program in any language that answers requests on two subjects.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import nats
from nats.aio.msg import Msg

RESIDENCY = "example.com/residency"
DISK = "example.com/disk"


def refuse(asked: Any) -> Any:
    """Say which clusters may not take it, and why."""
    wanted = asked["workload"]["labels"].get(RESIDENCY)
    if wanted is None:
        return {"refused": {}}
    return {
        "refused": {
            cluster["name"]: f"its data stays in {wanted}"
            for cluster in asked["clusters"]
            if cluster["labels"].get(RESIDENCY) != wanted
        }
    }


def score(asked: Any) -> Any:
    """Give points between 0 and 100; who is not named gets 50."""
    fast = [one["name"] for one in asked["clusters"] if one["labels"].get(DISK) == "nvme"]
    return {"points": dict.fromkeys(fast, 100)}


async def main(url: str, access: dict[str, str]) -> None:
    connection = await nats.connect(url, **access)

    async def answer_filter(message: Msg) -> None:
        await message.respond(json.dumps(refuse(json.loads(message.data))).encode())

    async def answer_score(message: Msg) -> None:
        await message.respond(json.dumps(score(json.loads(message.data))).encode())

    # In a queue group: of several that run, one answers.
    await connection.subscribe("hanse.plugins.residency.filter", "plugin", answer_filter)
    await connection.subscribe("hanse.plugins.residency.score", "plugin", answer_score)
    await connection.flush()
    print("answering", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    file = Path(sys.argv[2]) if len(sys.argv) > 2 else None
    asyncio.run(main(sys.argv[1], json.loads(file.read_text()) if file else {}))
