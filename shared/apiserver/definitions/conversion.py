"""How versions are converted: by name only, or by a webhook (which is checked, not called)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from shared.apiserver.definitions.reading import at, entries
from shared.apiserver.names import check_service_name as check_1035_label
from shared.apiserver.semantics.faults import forbidden, invalid, required, unsupported
from shared.errors import FieldError

_CLIENT = "spec.conversion.webhookClientConfig"
_REVIEWS = "spec.conversion.conversionReviewVersions"
_KNOWN_REVIEWS = ("v1", "v1beta1")
_NOT_WEBHOOK = "should not be set when strategy is not set to Webhook"


def check_conversion(conversion: Any) -> Iterator[FieldError]:
    if conversion is None:
        return
    strategy = at(conversion, "strategy")
    if not strategy:
        yield required("spec.conversion.strategy")
    elif strategy not in ("None", "Webhook"):
        yield unsupported("spec.conversion.strategy", strategy, ("None", "Webhook"))
    client = at(conversion, "webhook", "clientConfig")
    reviews = entries(at(conversion, "webhook"), "conversionReviewVersions")
    if strategy == "Webhook":
        yield from _check_client(client)
        yield from _check_reviews(reviews)
        return
    if client is not None:
        yield forbidden(_CLIENT, _NOT_WEBHOOK)
    if reviews:
        yield forbidden(_REVIEWS, _NOT_WEBHOOK)


def _check_client(client: Any) -> Iterator[FieldError]:
    if client is None:
        yield required(_CLIENT, "required when strategy is set to Webhook")
        return
    url, service = at(client, "url"), at(client, "service")
    if (url is None) == (service is None):
        yield required(_CLIENT, "exactly one of url or service is required")
    elif url is not None:
        yield from _check_url(str(url))
    else:
        for name in ("name", "namespace"):
            if not at(service, name):
                yield required(f"{_CLIENT}.service.{name}", f"service {name} is required")


def _check_url(url: str) -> Iterator[FieldError]:
    path, form = f"{_CLIENT}.url", "desired format: https://host[/path]"
    try:
        parts = urlsplit(url)
    except ValueError as err:
        yield required(path, f"url must be a valid URL: {err}; {form}")
        return
    if parts.scheme != "https":
        yield invalid(path, parts.scheme, f"'https' is the only allowed URL scheme; {form}")
    if not parts.hostname:
        yield invalid(path, parts.netloc, f"host must be specified; {form}")
    if parts.username is not None:
        yield invalid(path, "", f"user information is not permitted in the URL; {form}")
    if parts.fragment:
        yield invalid(path, parts.fragment, "fragments are not permitted in the URL")
    if parts.query:
        yield invalid(path, parts.query, "query parameters are not permitted in the URL")


def _check_reviews(reviews: list[Any]) -> Iterator[FieldError]:
    if not reviews:
        yield required(_REVIEWS)
        return
    seen = set()
    for place, version in enumerate(map(str, reviews)):
        if version in seen:
            yield invalid(f"{_REVIEWS}[{place}]", version, "duplicate version")
            continue
        seen.add(version)
        if fault := check_1035_label(version):
            yield invalid(f"{_REVIEWS}[{place}]", version, fault)
    if seen.isdisjoint(_KNOWN_REVIEWS):
        why = f"must include at least one of {', '.join(_KNOWN_REVIEWS)}"
        yield invalid(_REVIEWS, reviews, why)
