"""How long a client says that it will wait: read, and refused where it is no duration. Pure.

Nothing is cut short by it: a client that has waited long enough closes its connection.
"""

import re
from collections.abc import Mapping

from shared.apiserver.status_errors import bad_request

_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
# As Go's `time.ParseDuration` reads it.
_DURATION = re.compile(rf"[+-]?(?:0|(?:{_NUMBER}(?:ns|us|µs|μs|ms|s|m|h))+)")
_OF_ANOTHER_UNIT = re.compile(rf"[+-]?(?:{_NUMBER})([^0-9.]+)")


def check_timeout(query: Mapping[str, str]) -> None:
    """Raise `ApiFault` 400 where the `timeout` of *query* is no duration."""
    given = query.get("timeout", "")
    if not given or _DURATION.fullmatch(given):
        return
    unit = _OF_ANOTHER_UNIT.fullmatch(given)
    what = f'unknown unit "{unit[1][:40]}" in' if unit else "invalid"
    raise bad_request(
        f'invalid timeout specified in the request URL - time: {what} duration "{given[:80]}"'
    )
