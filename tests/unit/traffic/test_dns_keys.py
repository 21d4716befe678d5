"""TSIG keys as BIND writes them."""

from pathlib import Path

import dns.name
import dns.tsig
import pytest

from services.traffic.dns.keys import load_keys
from shared.runtime.environment import BadSetting

SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0"
GOOD = f"""
# by tsig-keygen
key "hanse-transfer" {{
\talgorithm hmac-sha256; // the usual
\tsecret "{SECRET}";
}};
key other. {{ secret {SECRET}; algorithm "HMAC-SHA512"; }};
"""


def test_keys_are_read_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(GOOD)
    keys = load_keys(tmp_path / "keys")
    assert set(keys) == {dns.name.from_text("hanse-transfer"), dns.name.from_text("other")}
    assert keys[dns.name.from_text("other")].algorithm == dns.tsig.HMAC_SHA512
    assert load_keys(None) == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nothing of that sort",
        f'key "k" {{ secret "{SECRET}"; }};',
        'key "k" { algorithm hmac-sha256; };',
        f'key "k" {{ algorithm rot13; secret "{SECRET}"; }};',
        f'key "k" {{ algorithm hmac-sha256; secret "{SECRET}!"; }};',
    ],
)
def test_what_is_no_key_is_refused_without_its_secret(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(BadSetting) as caught:
        load_keys(tmp_path / "keys")
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
