"""A trace crosses a header and comes back as it was."""

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider

from shared.telemetry.propagation import TRACEPARENT, current_traceparent, extract, inject


def test_what_is_injected_is_extracted() -> None:
    headers: dict[str, str] = {}
    with TracerProvider().get_tracer("test").start_as_current_span("sender") as span:
        inject(headers)
    found = trace.get_current_span(extract(headers)).get_span_context()
    assert found.trace_id == span.get_span_context().trace_id
    assert found.span_id == span.get_span_context().span_id
    assert found.is_remote


def test_without_a_span_there_is_no_header() -> None:
    headers: dict[str, str] = {}
    inject(headers)
    assert headers == {}
    assert current_traceparent() is None


def test_a_header_already_there_is_kept() -> None:
    headers = {TRACEPARENT: "mine"}
    with TracerProvider().get_tracer("test").start_as_current_span("sender"):
        inject(headers)
    assert headers == {TRACEPARENT: "mine"}


@pytest.mark.parametrize(
    "header",
    ["", "nonsense", "00-zz-zz-00", f"00-{'0' * 32}-{'0' * 16}-01", f"ff-{'1' * 32}-{'1' * 16}-01"],
)
def test_what_is_no_trace_counts_as_none(header: str) -> None:
    assert extract({TRACEPARENT: header}) == context.Context()
