"""What is wrong with a text as a name, a key, a value or an address, in Kubernetes' words. Pure.

Each function returns every fault of one text, none for a sound one. The rules and their wording are
those of `k8s.io/apimachinery` (`pkg/util/validation`, `pkg/api/validate/content`), 1.36.
"""

import ipaddress
import re

from shared.apimachinery.short_cache import cached_when_short

Faults = tuple[str, ...]

# One template names the same things many times over, and so do its later versions.
_ENTRIES = 4_096

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_UNDERSCORED = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_KEY_NAME = r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_MAX, _SUBDOMAIN_MAX, _PORT_NAME_MAX = 63, 253, 15
_ENDS = "and must start and end with an alphanumeric character"


def _mismatch(text: str, pattern: str, why: str, *examples: str) -> Faults:
    if re.fullmatch(pattern, text):
        return ()
    return (_explained(why, pattern, *examples),)


def _explained(why: str, pattern: str, *examples: str) -> str:
    if not examples:
        return f"{why} (regex used for validation is '{pattern}')"
    shown = " or ".join(f"'{one}', " for one in examples)
    return f"{why} (e.g. {shown}regex used for validation is '{pattern}')"


def _too_long(text: str, most: int, unit: str = "characters") -> Faults:
    return (f"must be no more than {most} {unit}",) if len(text) > most else ()


@cached_when_short(_ENTRIES)
def subdomain(text: str) -> Faults:
    """As an RFC 1123 subdomain: most names."""
    why = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
        f"'-' or '.', {_ENDS}"
    )
    return _too_long(text, _SUBDOMAIN_MAX) + _mismatch(text, _SUBDOMAIN, why, "example.com")


def domain_name(text: str) -> Faults:
    """As a name that DNS can hold: a subdomain whose labels have 63 characters at most."""
    if faults := subdomain(text):
        return faults
    long = next((one for one in text.split(".") if len(one) > _LABEL_MAX), "")
    return (f"its part '{long}' must be no more than {_LABEL_MAX} characters",) if long else ()


def domain_pattern(text: str) -> Faults:
    """As a name that DNS can hold, perhaps with `*.` before it (RFC 4592)."""
    return _too_long(text, _SUBDOMAIN_MAX) or domain_name(text.removeprefix("*."))


def search_domain(text: str) -> Faults:
    """As a search path of a resolver, where labels may begin with an underscore."""
    pattern = rf"{_UNDERSCORED}(\.{_UNDERSCORED})*"
    why = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, "
        f"'_', '-' or '.', {_ENDS}"
    )
    return _too_long(text, _SUBDOMAIN_MAX) + _mismatch(text, pattern, why, "example.com")


@cached_when_short(_ENTRIES)
def label(text: str) -> Faults:
    """As an RFC 1123 label: namespaces, containers, volumes."""
    long = _too_long(text, _LABEL_MAX)
    if re.fullmatch(_LABEL, text):
        return long
    if re.fullmatch(_SUBDOMAIN, text):
        return (*long, "must not contain dots")
    why = (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
        f"{_ENDS}"
    )
    return (*long, _explained(why, _LABEL, "my-name", "123-abc"))


def label_1035(text: str) -> Faults:
    """As an RFC 1035 label, which begins with a letter."""
    why = (
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with "
        "an alphabetic character, and end with an alphanumeric character"
    )
    pattern = r"[a-z]([-a-z0-9]*[a-z0-9])?"
    return _too_long(text, _LABEL_MAX) + _mismatch(text, pattern, why, "my-name", "abc-123")


def wildcard_subdomain(text: str) -> Faults:
    why = (
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
        "which must consist of lower case alphanumeric characters, '-' or '.' and end with an "
        "alphanumeric character"
    )
    pattern = rf"\*\.{_SUBDOMAIN}"
    return _too_long(text, _SUBDOMAIN_MAX) + _mismatch(text, pattern, why, "*.example.com")


def path_segment(text: str) -> Faults:
    """As one segment of a URL's path: names of roles and their bindings."""
    if text in (".", ".."):
        return (f"may not be '{text}'",)
    return tuple(f"may not contain '{sign}'" for sign in ("/", "%") if sign in text)


@cached_when_short(_ENTRIES)
def label_key(text: str) -> Faults:
    """As a qualified name, `[prefix/]name`: labels, finalizers, taints."""
    why = f"must consist of alphanumeric characters, '-', '_' or '.', {_ENDS}"
    examples = "MyName", "my.name", "123-abc"
    prefix, slash, name = text.partition("/")
    if "/" in name:
        whole = _explained(why, _KEY_NAME, *examples)
        end = " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        return (f"a valid label key {whole}{end}",)
    faults: Faults = ()
    if not slash:
        name = prefix
    elif not prefix:
        faults = ("prefix part must be non-empty",)
    else:
        faults = tuple(f"prefix part {one}" for one in subdomain(prefix))
    if not name:
        faults += ("name part must be non-empty",)
    parts = (
        *_too_long(name, _LABEL_MAX, "bytes"),
        *_mismatch(name, _KEY_NAME, why, *examples),
    )
    return faults + tuple(f"name part {one}" for one in parts)


@cached_when_short(_ENTRIES)
def label_value(text: str) -> Faults:
    why = (
        "a valid label must be an empty string or consist of alphanumeric characters, "
        f"'-', '_' or '.', {_ENDS}"
    )
    pattern = f"({_KEY_NAME})?"
    examples = "MyValue", "my_value", "12345"
    return _too_long(text, _LABEL_MAX, "bytes") + _mismatch(text, pattern, why, *examples)


@cached_when_short(_ENTRIES)
def port_name(text: str) -> Faults:
    """As the name of a port (RFC 6335)."""
    faults = _too_long(text, _PORT_NAME_MAX)
    if not re.fullmatch(r"[-a-z0-9]+", text):
        why = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
        faults += (why,)
    if not re.search("[a-z]", text):
        faults += ("must contain at least one letter (a-z)",)
    if "--" in text:
        faults += ("must not contain consecutive hyphens",)
    if text.startswith("-") or text.endswith("-"):
        faults += ("must not begin or end with a hyphen",)
    return faults


@cached_when_short(_ENTRIES)
def config_key(text: str) -> Faults:
    """As a key of a ConfigMap or Secret, which becomes a file's name."""
    why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
    examples = "key.name", "KEY_NAME", "key-name"
    faults = _too_long(text, _SUBDOMAIN_MAX)
    faults += _mismatch(text, r"[-._a-zA-Z0-9]+", why, *examples)
    if text in (".", ".."):
        return (*faults, f"must not be '{text}'")
    return (*faults, "must not start with '..'") if text.startswith("..") else faults


@cached_when_short(_ENTRIES)
def variable_name(text: str) -> Faults:
    """As the name of an environment variable, or the beginning of one."""
    if not text:
        return ("environment variable name must be non-empty",)
    if all(" " <= sign <= "~" and sign != "=" for sign in text):
        return ()
    why = "must consist only of printable ASCII characters other than '='"
    return (f"a valid environment variable name {why}",)


def header_name(text: str) -> Faults:
    """As the name of an HTTP header."""
    why = "a valid HTTP header must consist of alphanumeric characters or '-'"
    return _mismatch(text, "[-A-Za-z0-9]+", why, "X-Header-Name")


def percent(text: str) -> Faults:
    why = "a valid percent string must be a numeric string followed by an ending '%'"
    return _mismatch(text, "[0-9]+%", why, "1%", "93%")


def address(text: str) -> Faults:
    """As an IP address of either family."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",)
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        return ("must not be an IPv4-mapped IPv6 address",)
    return ()


def canonical_address(text: str) -> Faults:
    """As an IP address in the one form in which it names something (RFC 5952)."""
    if ":" not in text:
        plain = re.sub(r"(?<![0-9])0+(?=[0-9])", "", text)
        if plain != text and not address(plain):
            # Some read `010` as ten and some as eight.
            return ("must not have leading 0s",)
    # An interface (`fe80::1%eth0`) is none of an address.
    faults = address(text.replace("%", "/"))
    if not faults and (proper := str(ipaddress.ip_address(text))) != text:
        return (f'must be in canonical form ("{proper}")',)
    return faults


def endpoint_address(text: str) -> Faults:
    """As an address that may be given to clients: none of a machine's own."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return ("must be a valid IP address",)
    faults: Faults = ()
    if found.is_unspecified:
        faults += (f"may not be unspecified ({text})",)
    if found.is_loopback:
        faults += ("may not be in the loopback range (127.0.0.0/8, ::1/128)",)
    if found.is_link_local:
        faults += ("may not be in the link-local range (169.254.0.0/16, fe80::/10)",)
    return faults


def network(text: str) -> Faults:
    """As a network in CIDR notation."""
    try:
        found = ipaddress.ip_interface(text) if "/" in text else None
    except ValueError:
        found = None
    if found is None:
        return ("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",)
    if found.ip != found.network.network_address:
        return ("must not have bits set beyond the prefix length",)
    return ()


def domain_prefixed_path(text: str) -> Faults:
    """As `example.com/name`, which names a controller."""
    host, _, path = text.partition("/")
    if not host or not path:
        return ('must be a domain-prefixed path (such as "acme.io/foo")',)
    pattern = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
    return subdomain(host) + _mismatch(path, pattern, "Invalid path")


def local_path(text: str) -> Faults:
    """As a path that stays below where it begins."""
    faults: Faults = ("must be a relative path",) if text.startswith("/") else ()
    return faults + without_backsteps(text)


def local_file(text: str) -> Faults:
    """As a file in a volume made of keys."""
    reserved = text.startswith("..") and not text.startswith("../")
    return local_path(text) + (("must not start with '..'",) if reserved and text != ".." else ())


def without_backsteps(text: str) -> Faults:
    return ("must not contain '..'",) if ".." in text.split("/") else ()
