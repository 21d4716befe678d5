"""Reading a kubeconfig: what is found, and how precisely what is missing is named."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.errors import UnusableCredentials
from shared.memberapi.credentials import MemberCredentials, read_kubeconfig

PEM = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"


def a_kubeconfig(folder: Path, *, cluster: dict[str, Any], user: dict[str, Any]) -> Path:
    path = folder / "config"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "main",
                "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": cluster}],
                "users": [{"name": "u", "user": user}],
            }
        )
    )
    return path


def test_a_token_and_inline_authority_are_read(tmp_path: Path) -> None:
    data = base64.b64encode(PEM.encode()).decode()
    path = a_kubeconfig(
        tmp_path,
        cluster={"server": "https://member:6443/", "certificate-authority-data": data},
        user={"token": "secret"},
    )
    found = read_kubeconfig(path)
    assert found == MemberCredentials(
        server="https://member:6443", certificate_authority=PEM, token="secret"
    )
    assert "secret" not in repr(found)


def test_files_are_taken_from_the_kubeconfigs_folder(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(PEM)
    (tmp_path / "token").write_text("from-file\n")
    path = a_kubeconfig(
        tmp_path,
        cluster={"server": "https://m", "certificate-authority": "ca.crt"},
        user={"tokenFile": "token"},
    )
    found = read_kubeconfig(path, "main")
    assert (found.certificate_authority, found.token) == (PEM, "from-file")


@pytest.mark.parametrize(
    ("cluster", "user", "context", "said"),
    [
        ({"server": "https://m"}, {}, "other", "no context 'other' (it has: main)"),
        ({"server": "member:6443"}, {}, "", "neither an https nor an http URL"),
        ({}, {}, "", "neither an https nor an http URL"),
        ({"server": "https://m", "certificate-authority": "gone.crt"}, {}, "", "does not exist"),
        ({"server": "https://me:swordfish@m"}, {}, "", "must not name a user"),
        ({"server": "https://m"}, {"exec": {"command": "aws"}}, "", "exec plugin"),
        ({"server": "https://m"}, {"client-certificate-data": "TQ=="}, "", "client-key is missing"),
        ({"server": "https://m"}, {"client-key-data": "%"}, "", "not base64"),
        ({"server": "https://m"}, {"tokenFile": "gone"}, "", "token file"),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, cluster: dict[str, Any], user: dict[str, Any], context: str, said: str
) -> None:
    path = a_kubeconfig(tmp_path, cluster=cluster, user=user)
    with pytest.raises(UnusableCredentials) as raised:
        read_kubeconfig(path, context)
    assert said in str(raised.value)
    assert "swordfish" not in str(raised.value)


@pytest.mark.parametrize("text", ["[", "just text", "kind: Config", "- 1"])
def test_what_is_no_kubeconfig_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(UnusableCredentials):
        read_kubeconfig(path)


def test_a_missing_kubeconfig_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableCredentials, match=r"kubeconfig .*nowhere does not exist"):
        read_kubeconfig(tmp_path / "nowhere")


def test_certificates_that_are_none_are_refused_when_used() -> None:
    broken = MemberCredentials(server="https://m", certificate_authority=PEM)
    with pytest.raises(UnusableCredentials, match="cannot be loaded"):
        broken.ssl_context()
