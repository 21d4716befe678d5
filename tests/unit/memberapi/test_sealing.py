"""Sealed credentials open for their cluster and key, and for nothing else."""

import stat
from pathlib import Path

import pytest

from shared.errors import UnusableCredentials
from shared.memberapi.credentials import MemberCredentials
from shared.memberapi.sealing import EnvelopeKey, ensure_key, load_key, seal, unseal

CREDENTIALS = MemberCredentials(server="https://m", token="very-secret")
KEY = EnvelopeKey(b"k" * 32)


def test_what_was_sealed_opens_again_and_hides_its_content() -> None:
    sealed = seal(KEY, "eu-1", CREDENTIALS)
    assert b"very-secret" not in sealed
    assert unseal(KEY, "eu-1", sealed) == CREDENTIALS


def test_sealing_twice_gives_different_bytes() -> None:
    assert seal(KEY, "eu-1", CREDENTIALS) != seal(KEY, "eu-1", CREDENTIALS)


def test_another_cluster_key_or_byte_does_not_open() -> None:
    sealed = seal(KEY, "eu-1", CREDENTIALS)
    attempts = [
        (KEY, "us-1", sealed),
        (EnvelopeKey(b"x" * 32), "eu-1", sealed),
        (KEY, "eu-1", sealed[:-1] + bytes([sealed[-1] ^ 1])),
        (KEY, "eu-1", b"\x02" + sealed[1:]),
        (KEY, "eu-1", b""),
    ]
    for key, cluster, body in attempts:
        with pytest.raises(UnusableCredentials) as raised:
            unseal(key, cluster, body)
        assert "very-secret" not in str(raised.value)


def test_a_key_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "envelope.key"
    sealed = seal(ensure_key(path), "eu-1", CREDENTIALS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert unseal(ensure_key(path), "eu-1", sealed) == CREDENTIALS
    assert unseal(load_key(None, path.read_text()), "eu-1", sealed) == CREDENTIALS


@pytest.mark.parametrize("encoded", ["not base64!", "c2hvcnQ="])
def test_a_bad_key_is_refused_without_being_shown(encoded: str) -> None:
    with pytest.raises(UnusableCredentials) as raised:
        load_key(None, encoded)
    assert encoded not in str(raised.value)


def test_no_key_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnusableCredentials, match="neither"):
        load_key(None)
    with pytest.raises(UnusableCredentials, match="cannot be read"):
        load_key(tmp_path / "none")
