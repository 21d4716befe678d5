"""The setup of a federation in containers."""

import ssl
import stat
from pathlib import Path

import pytest

from hanse import setup
from hanse.setup import Settings, set_up
from shared.apiserver.authentication import TokenTable
from shared.bus.jetstream import connect
from shared.bus.settings import NatsSettings
from shared.memberapi.credentials import read_kubeconfig
from shared.memberapi.sealing import load_key
from shared.runtime.nats_server import NatsServer


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_everything_is_its_owners_alone(tmp_path: Path) -> None:
    volumes = set_up(Settings(folder=tmp_path))

    load_key(volumes.envelope_key)
    for path in tmp_path.rglob("*"):
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    set_up(Settings(folder=tmp_path))
    before = contents(tmp_path)

    set_up(Settings(folder=tmp_path))

    assert contents(tmp_path) == before


def test_the_kubeconfigs_hold_what_the_gateway_knows(tmp_path: Path) -> None:
    volumes = set_up(Settings(folder=tmp_path))

    outside = read_kubeconfig(volumes.kubeconfig)
    inside = read_kubeconfig(volumes.network_kubeconfig)
    assert outside.server == "https://127.0.0.1:8443"
    assert inside.server == "https://gateway:8443"
    assert inside.token == outside.token
    user = TokenTable.read(volumes.tokens).authenticate(f"Bearer {outside.token}")
    assert "system:masters" in user.groups
    assert isinstance(outside.ssl_context(), ssl.SSLContext)


async def test_nats_lets_in_who_has_the_credentials(tmp_path: Path) -> None:
    volumes = set_up(Settings(folder=tmp_path, nats_host="127.0.0.1"))

    async with NatsServer(volumes.nats, log_to_file=False) as server:
        settings = NatsSettings(url=server.url, credentials_file=volumes.nats_credentials)
        async with connect(settings, "test") as connection:
            assert connection.connected
    assert not list(volumes.nats.glob("*.log"))


def test_a_folder_that_cannot_be_written_to_is_said_plainly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    occupied = tmp_path / "occupied"
    occupied.write_text("a file")
    monkeypatch.setenv("HANSE_FOLDER", str(occupied))

    assert setup.main() == 1
    assert str(occupied) in capsys.readouterr().err


def test_a_port_that_is_no_number_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HANSE_NATS_PORT", "many")

    assert setup.main() == 2
    assert "HANSE_NATS_PORT" in capsys.readouterr().err
