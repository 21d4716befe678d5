"""Who is known to be dead: whoever had the file before, and has let go of it by dying."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.lease import life
from shared.lease.life import living
from shared.lease.settings import LeaseSettings, Life

PROGRAM = """
import sys
from pathlib import Path
from shared.lease.life import living
from shared.lease.settings import LeaseSettings
with living(LeaseSettings(name="other", file=Path(sys.argv[1]))) as settings:
    print(settings.life.identity, flush=True)
    sys.stdin.read()
"""


def begin(path: Path) -> LeaseSettings:
    return LeaseSettings(name="us", file=path)


def lived(path: Path) -> Life:
    """One life from its beginning to its end."""
    with living(begin(path)) as settings:
        assert settings.life is not None
        return settings.life


@contextmanager
def other(path: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Another process that has the file, and who it is."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def test_the_first_knows_of_nobody(tmp_path: Path) -> None:
    found = lived(tmp_path / "lives" / "scheduler")
    assert found.dead == frozenset()
    assert found.identity.startswith("us-")


def test_one_that_was_killed_is_dead_and_one_that_is_stopped_is_not(tmp_path: Path) -> None:
    path = tmp_path / "scheduler"
    with other(path) as (process, identity):
        os.kill(process.pid, signal.SIGSTOP)
        assert lived(path).dead == frozenset()
        process.kill()
        process.wait()
        assert lived(path).dead == {identity}


def test_all_who_came_before_are_dead(tmp_path: Path) -> None:
    path = tmp_path / "scheduler"
    before = [lived(path).identity for _ in range(3)]
    assert len(set(before)) == 3
    assert lived(path).dead == set(before)


def test_a_line_that_was_left_unfinished_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "scheduler"
    first = lived(path).identity
    path.write_text(path.read_text() + path.read_text().rstrip()[:-1])
    assert lived(path).dead == {first}


def test_of_another_boot_a_file_proves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scheduler"
    lived(path)
    boot = tmp_path / "boot_id"
    boot.write_text("another\n")
    monkeypatch.setattr(life, "_BOOT_ID", boot)
    assert lived(path).dead == frozenset()


def test_without_a_file_each_life_is_another() -> None:
    with living(LeaseSettings()) as one, living(LeaseSettings()) as two:
        assert one.life is not None
        assert two.life is not None
        assert one.life.identity != two.life.identity
        assert one.life.dead == two.life.dead == frozenset()
