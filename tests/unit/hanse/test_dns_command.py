"""`hanse dns stub`."""

import json

import pytest

from hanse.__main__ import main


def test_the_stub_names_the_member_and_the_servers(capsys: pytest.CaptureFixture[str]) -> None:
    servers = ("10.0.0.53", "10.0.1.53:5353", "[2001:db8::53]:5353", "2001:db8::1")
    given = [word for server in servers for word in ("--server", server)]
    assert main(["dns", "stub", "eu-1", "--json", *given]) == 0
    lines = json.loads(capsys.readouterr().out)["corefile"].splitlines()
    assert lines[0] == "clusterset.local:53 {"
    assert "    rewrite edns0 local set 0xfeed eu-1" in lines
    where = "10.0.0.53:53 10.0.1.53:5353 [2001:db8::53]:5353 [2001:db8::1]:53"
    assert f"    forward . {where} {{" in lines
    assert (lines.count("}"), lines[-1]) == (1, "}")


@pytest.mark.parametrize("server", ["", "dns.example.com", "10.0.0.53:0", "10.0.0.53:x", "1:2:3"])
def test_a_server_is_an_address(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dns", "stub", "eu-1", "--server", server])
    assert "--server" in capsys.readouterr().err
