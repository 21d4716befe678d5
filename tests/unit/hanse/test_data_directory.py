"""One data directory: held by one process, private, and careful with what others wrote."""

import os
import stat
from pathlib import Path

import pytest

from hanse.local.kubeconfig import CONTEXT, holds_something_else, write_kubeconfig
from hanse.local.layout import Ports
from hanse.local.lock import DirectoryInUse, hold


def test_a_directory_is_held_by_one_at_a_time_and_free_again_afterwards(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with hold(directory):
        with pytest.raises(DirectoryInUse) as refused, hold(directory):
            pass
        assert str(directory) in str(refused.value)
        assert str(os.getpid()) in str(refused.value)
    with hold(directory):
        pass


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    with hold(directory):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        assert stat.S_IMODE((directory / "lock").stat().st_mode) == 0o600


def test_a_directory_that_cannot_be_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), hold(tmp_path / "file"):
        pass


def test_our_own_kubeconfig_may_be_written_again(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    assert not holds_something_else(path)
    path.touch()
    assert not holds_something_else(path)
    write_kubeconfig(
        path, name=CONTEXT, server="https://127.0.0.1:1", certificate_authority=b"", token="t"
    )
    assert not holds_something_else(path)


@pytest.mark.parametrize(
    "text",
    [
        "kind: Config\nclusters: [{name: hanse}, {name: production}]\n",
        "kind: Config\ncontexts: [{name: production}]\n",
        "kind: Config\nclusters: [text]\n",
        "kind: Pod\n",
        "[]",
        "{",
        "shopping list",
    ],
)
def test_what_somebody_else_wrote_is_not(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    assert holds_something_else(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"gateway": "x"}'])
def test_damaged_notes_of_ports_are_begun_anew(tmp_path: Path, text: str) -> None:
    file = tmp_path / "ports.json"
    file.write_text(text)
    port = Ports(file).of("gateway")
    assert Ports(file).of("gateway") == port


def test_no_port_is_given_out_twice(tmp_path: Path) -> None:
    # Chosen at random, so many that two would surely meet.
    ports = Ports(tmp_path / "ports.json")
    assert len({ports.of(f"member-{number}") for number in range(600)}) == 600
