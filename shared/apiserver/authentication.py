"""Who is asking: bearer tokens from a static table.

The file is that of kube-apiserver's `--token-auth-file`: lines of
`token,user,uid,"group,group"`, the last two optional. It must be readable by its owner alone.
Tokens are kept as digests, so neither memory dumps of the table nor the time a lookup takes tell
one.
"""

import csv
import hashlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.apiserver.status_errors import ApiFault

AUTHENTICATED = "system:authenticated"
TOKEN_LENGTH_MIN = 16


@dataclass(frozen=True, slots=True)
class User:
    """As `authentication/v1 UserInfo`."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = (AUTHENTICATED,)


class BadTokenFile(ValueError):
    """The table cannot be used; the message names the line and never a token."""


class TokenTable:
    """Implements `Authenticator` over a fixed table."""

    def __init__(self, users: Mapping[str, User]) -> None:
        """*users*: by token."""
        self._users = {_digest(token): user for token, user in users.items()}

    @classmethod
    def read(cls, path: Path) -> "TokenTable":
        """Raise `BadTokenFile`, or OSError where there is no such file."""
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise BadTokenFile(f"{path} may be read by others than its owner: chmod 600")
        users: dict[str, User] = {}
        with path.open(newline="", encoding="utf-8") as lines:
            for number, row in enumerate(csv.reader(lines, skipinitialspace=True), start=1):
                if not row or row[0].startswith("#"):
                    continue
                if len(row) < 2 or len(row[0]) < TOKEN_LENGTH_MIN or not row[1]:
                    raise BadTokenFile(
                        f"{path}, line {number}: expected token (of {TOKEN_LENGTH_MIN} characters "
                        "or more) and user"
                    )
                groups = [one.strip() for one in row[3].split(",")] if len(row) > 3 else []
                users[row[0]] = User(
                    row[1],
                    row[2] if len(row) > 2 else "",
                    tuple(dict.fromkeys([*filter(None, groups), AUTHENTICATED])),
                )
        return cls(users)

    def find(self, token: str) -> User | None:
        return self._users.get(_digest(token))

    def authenticate(self, authorization: str) -> User:
        """Read an `Authorization` header; raises `ApiFault` 401."""
        scheme, _, token = authorization.partition(" ")
        user = self.find(token.strip()) if scheme.lower() == "bearer" else None
        if user is None:
            raise ApiFault(401, "Unauthorized")
        return user


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
