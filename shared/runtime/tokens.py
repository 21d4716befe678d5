"""The token table of a server on this machine: made once, with one administrator in it."""

import csv
import secrets
from pathlib import Path

from shared.apiserver.authentication import TokenTable
from shared.runtime.certificates import write_private

ADMINISTRATOR = "hanse-admin"
MASTERS = "system:masters"


def ensure_token(path: Path, user: str = ADMINISTRATOR) -> str:
    """Return *user*'s token in the table at *path*, which is made (mode 0600) where missing.

    Raises `BadTokenFile` for a table that cannot be used, ValueError where *user* is not in it.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        token = secrets.token_urlsafe(32)
        write_private(path, f'{token},{user},,"{MASTERS}"\n'.encode())
        return token
    TokenTable.read(path)
    with path.open(newline="", encoding="utf-8") as lines:
        for row in csv.reader(lines, skipinitialspace=True):
            if len(row) > 1 and not row[0].startswith("#") and row[1] == user:
                return row[0]
    raise ValueError(f"{path} has no token of {user}")
