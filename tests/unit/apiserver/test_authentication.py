from pathlib import Path

import pytest

from shared.apiserver.authentication import BadTokenFile, TokenTable, User
from shared.apiserver.status_errors import ApiFault
from shared.runtime.tokens import ensure_token

SECRET = "a-rather-long-token"


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "tokens"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_table_is_read_as_kube_apiserver_reads_it(tmp_path):
    path = written(tmp_path, f'# who may call\n{SECRET},ann,7,"a,b"\nanother-long-token,bob\n')
    table = TokenTable.read(path)

    assert table.authenticate(f"Bearer {SECRET}") == User(
        "ann", "7", ("a", "b", "system:authenticated")
    )
    assert table.authenticate("bearer another-long-token").name == "bob"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", f"Basic {SECRET}", "Bearer wrong"])
def test_everything_else_is_unauthorized(tmp_path, header):
    table = TokenTable.read(written(tmp_path, f"{SECRET},ann\n"))
    with pytest.raises(ApiFault) as fault:
        table.authenticate(header)
    assert fault.value.code == 401
    assert SECRET not in str(fault.value)


def test_a_table_that_others_can_read_is_refused(tmp_path):
    with pytest.raises(BadTokenFile):
        TokenTable.read(written(tmp_path, f"{SECRET},ann\n", 0o640))


@pytest.mark.parametrize("line", ["short,ann", SECRET, f"{SECRET},"])
def test_a_line_that_cannot_be_read_is_named_without_its_token(tmp_path, line):
    with pytest.raises(BadTokenFile, match="line 1") as error:
        TokenTable.read(written(tmp_path, line + "\n"))
    assert SECRET not in str(error.value)


def test_a_token_is_made_once_and_kept(tmp_path):
    path = tmp_path / "keys" / "tokens"
    token = ensure_token(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert ensure_token(path) == token
    assert TokenTable.read(path).find(token) is not None
