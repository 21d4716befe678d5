"""TSIG keys from a file in the words of BIND's configuration, as `tsig-keygen` prints them."""

import base64
import contextlib
import re
from pathlib import Path

import dns.exception
import dns.name
import dns.tsig

from services.traffic.dns.requests import Keys
from shared.runtime.environment import BadSetting

_KEY = re.compile(r'key\s+"?([^"\s{]+)"?\s*\{([^}]*)\}\s*;')
_FIELD = re.compile(r'(algorithm|secret)\s+"?([^";\s]+)"?\s*;')
_COMMENT = re.compile(r"(?://|#)[^\n]*|/\*.*?\*/", re.DOTALL)


def load_keys(file: Path | None) -> Keys:
    """Raise `BadSetting`, which names the file and never what is in it."""
    if file is None:
        return {}
    try:
        words = _COMMENT.sub("", file.read_text())
    except OSError as err:
        raise BadSetting(f"the keys of DNS in {file} cannot be read: {err.strerror}") from err
    found: dict[dns.name.Name, dns.tsig.Key] = {}
    for name, body in _KEY.findall(words):
        fields = dict(_FIELD.findall(body))
        key = None
        # Not passed on: what went wrong may quote the secret.
        with contextlib.suppress(KeyError, ValueError, dns.exception.DNSException):
            secret = base64.b64decode(fields["secret"], validate=True)
            key = dns.tsig.Key(name.lower(), secret, fields["algorithm"].lower())
        if key is None or key.algorithm not in dns.tsig.mac_sizes:
            raise BadSetting(f"key {name} in {file} lacks a usable algorithm or secret")
        found[key.name] = key
    if not found:
        raise BadSetting(f"there is no key in {file}")
    return found
