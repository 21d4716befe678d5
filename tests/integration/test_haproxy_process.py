"""A HAProxy that is this process' own, or somebody else's."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from services.traffic.core.renderers.haproxy import Front, configuration
from services.traffic.front.haproxy import Haproxy, HaproxyFailed
from tests.balanced_fleet import needs_haproxy

pytestmark = needs_haproxy


@pytest.fixture
def text(tmp_path: Path) -> str:
    return configuration({}, Front(socket=str(tmp_path / "admin.sock")))


def haproxy(folder: Path, reload: str = "") -> Haproxy:
    return Haproxy(folder / "haproxy.cfg", folder / "admin.sock", reload)


async def test_its_own_is_watched_and_ends_with_it(tmp_path: Path, text: str) -> None:
    found = haproxy(tmp_path)
    async with found.running(text):
        worker, counters = await found.counters()
        assert counters == {}
        await found.begin_anew(text)
        successor, _ = await found.counters()
        assert successor != worker
        watching = asyncio.create_task(found.watch())
        os.kill(int(successor), signal.SIGKILL)
        with pytest.raises(HaproxyFailed, match="ended with status"):
            await watching
    with pytest.raises(HaproxyFailed, match="no answer"):
        await found.counters()


async def test_what_it_would_not_read_is_not_put_in_place(tmp_path: Path, text: str) -> None:
    found = haproxy(tmp_path)
    async with found.running(text):
        worker, _ = await found.counters()
        with pytest.raises(HaproxyFailed, match="haproxy ended with 1"):
            await found.begin_anew(f"{text}\nnonsense\n")
        assert (tmp_path / "haproxy.cfg").read_text() == text
        assert (await found.counters())[0] == worker
        assert not await found.tell(["set server none/none weight 1"], text)


async def test_somebody_elses_is_asked_to_read_the_file(tmp_path: Path, text: str) -> None:
    asked = tmp_path / "asked"
    copy = shutil.which("cp")
    found = haproxy(tmp_path, f"{copy} {tmp_path}/haproxy.cfg {asked}")
    async with found.running(text):
        assert asked.read_text() == text
    failing = haproxy(tmp_path, "false")
    with pytest.raises(HaproxyFailed, match="false ended with 1"):
        async with failing.running(text):
            pytest.fail("it was not begun")
