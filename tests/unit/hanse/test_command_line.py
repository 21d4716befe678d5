"""What the command line refuses before anything is asked of anybody."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from hanse.__main__ import main
from hanse.local.layout import free_port, is_free


@pytest.mark.parametrize("name", ["", "Eu_1", "a.b", "../x", "a" * 64, "-a"])
@pytest.mark.parametrize("command", ["join", "leave"])
def test_a_name_that_is_none_is_a_usage_error(
    command: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--member-kubeconfig", "absent"] if command == "join" else []
    with pytest.raises(SystemExit) as ended:
        main([command, *options, "--", name])
    assert ended.value.code == 2
    assert "no name for a member" in capsys.readouterr().err


@pytest.mark.parametrize("cost", ["nan", "inf", "-1", "cheap", ""])
def test_a_bound_that_bounds_nothing_is_a_usage_error(
    cost: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plan", "--lose", "eu-1", f"--cost-max={cost}"])
    assert ended.value.code == 2
    assert "is no cost" in capsys.readouterr().err


def test_a_port_is_free_until_somebody_listens_on_it() -> None:
    port = free_port()
    assert is_free(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
    assert is_free(port)


def test_a_reader_that_goes_away_early_is_no_fault_of_ours(tmp_path: Path) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "hanse", "interpreter", "test", "-f", str(manifest)]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (128 + 13, b"")
