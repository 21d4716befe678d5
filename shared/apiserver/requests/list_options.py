"""The options of list and watch, by the rules of `metav1.ListOptions`. Pure.

Source: `k8s.io/apimachinery/pkg/apis/meta/internalversion` (defaults and validation) and KEP-3157
for `sendInitialEvents`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shared.apimachinery.manifest import GroupVersionKind
from shared.apiserver.requests.target import read_bool
from shared.apiserver.status_errors import bad_request, invalid
from shared.errors import FieldError

EXACT = "Exact"
NOT_OLDER_THAN = "NotOlderThan"
_KIND = GroupVersionKind("meta.k8s.io", "", "ListOptions")
_INT64_MAX = (1 << 63) - 1
_UINT64_MAX = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class ListOptions:
    """The options of list, watch and deletecollection; `resource_version` None is not given."""

    label_selector: str = ""
    field_selector: str = ""
    limit: int = 0
    """0 is no limit."""

    continue_token: str = ""
    resource_version: int | None = None
    version_match: str = ""
    timeout_seconds: int | None = None
    bookmarks: bool = False
    initial_events: bool | None = None


def read_list_options(query: Mapping[str, str], *, watch: bool) -> ListOptions:
    """Raise `ApiFault`: 400 for a value that is none, 422 for options that contradict each other.

    A watch without a version, or from 0, begins with the present state, as if asked to.
    """
    initial = read_bool(query, "sendInitialEvents") if "sendInitialEvents" in query else None
    options = ListOptions(
        label_selector=query.get("labelSelector", ""),
        field_selector=query.get("fieldSelector", ""),
        limit=max(0, _integer(query.get("limit", "")) or 0),
        continue_token=query.get("continue", ""),
        resource_version=read_version(query),
        version_match=query.get("resourceVersionMatch", ""),
        timeout_seconds=_integer(query.get("timeoutSeconds", "")),
        bookmarks=read_bool(query, "allowWatchBookmarks"),
        initial_events=initial,
    )
    if watch and initial is None and not options.version_match and not options.resource_version:
        options = replace(options, initial_events=True, version_match=NOT_OLDER_THAN)
    faults = _watch_faults(options) if watch else _list_faults(options)
    if faults:
        raise invalid(_KIND, "", faults)
    return options


def read_version(query: Mapping[str, str]) -> int | None:
    """The `resourceVersion` asked for; raises `ApiFault` 400 for anything but a number."""
    text = query.get("resourceVersion", "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit():
        raise bad_request(_no_version(text, "invalid syntax"))
    number = int(text[:40])
    if number > _UINT64_MAX:
        raise bad_request(_no_version(text, "value out of range"))
    return number


def _no_version(text: str, why: str) -> str:
    shown = text[:40]
    return (
        f'invalid resource version: resourceVersion: Invalid value: "{shown}": '
        f'strconv.ParseUint: parsing "{shown}": {why}'
    )


def _integer(text: str) -> int | None:
    """Read a number as Go does; a minus is taken."""
    if not text:
        return None
    digits = text[1:] if text[0] in "+-" else text
    if not digits.isascii() or not digits.isdigit():
        raise bad_request(f'strconv.ParseInt: parsing "{text[:40]}": invalid syntax')
    number = int(text[:40])
    if abs(number) > _INT64_MAX:
        raise bad_request(f'strconv.ParseInt: parsing "{text[:40]}": value out of range')
    return number


def _list_faults(options: ListOptions) -> list[FieldError]:
    faults = []
    match = options.version_match
    if match:
        if options.resource_version is None:
            faults.append(
                _forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided")
            )
        if options.continue_token:
            faults.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
        if match not in (EXACT, NOT_OLDER_THAN):
            faults.append(_unsupported(match, f'"{EXACT}", "{NOT_OLDER_THAN}", ""'))
        if match == EXACT and options.resource_version == 0:
            faults.append(
                _forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
            )
    if options.initial_events is not None:
        faults.append(_forbidden("sendInitialEvents is forbidden for list", "sendInitialEvents"))
    return faults


def _watch_faults(options: ListOptions) -> list[FieldError]:
    faults = []
    match = options.version_match
    if options.initial_events is not None and match != NOT_OLDER_THAN:
        faults.append(
            _forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        )
    if match:
        if options.initial_events is None:
            faults.append(
                _forbidden(
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is "
                    "provided"
                )
            )
        if match != NOT_OLDER_THAN:
            faults.append(_unsupported(match, f'"{NOT_OLDER_THAN}"'))
        if options.continue_token:
            faults.append(_forbidden("resourceVersionMatch is forbidden when continue is provided"))
    return faults


def _forbidden(why: str, field: str = "resourceVersionMatch") -> FieldError:
    return FieldError(field, f"Forbidden: {why}", "FieldValueForbidden")


def _unsupported(found: str, known: str) -> FieldError:
    why = f'Unsupported value: "{found[:40]}": supported values: {known}'
    return FieldError("resourceVersionMatch", why, "FieldValueNotSupported")
