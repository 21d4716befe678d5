"""The caller's trace travels in headers as W3C `traceparent`, without being passed by hand.

Source: W3C Trace Context, level 1.
"""

from collections.abc import Mapping, MutableMapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

TRACEPARENT = "traceparent"
TRACESTATE = "tracestate"


def current_traceparent() -> str | None:
    """Return the running span as a header value, None where there is none."""
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"


def inject(headers: MutableMapping[str, str]) -> None:
    """Write the running span into *headers*; a `traceparent` already there is kept."""
    if TRACEPARENT in headers:
        return
    found = current_traceparent()
    if found is not None:
        headers[TRACEPARENT] = found
        state = trace.get_current_span().get_span_context().trace_state
        if state:
            headers[TRACESTATE] = state.to_header()


def extract(headers: Mapping[str, str]) -> Context:
    """Return a context whose current span is the sender's; an empty one if there is none.

    A header that is not well-formed counts as absent: telemetry never breaks work.
    """
    parent = _parse(headers.get(TRACEPARENT, ""), headers.get(TRACESTATE, ""))
    if parent is None:
        return Context()
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def _parse(traceparent: str, tracestate: str) -> SpanContext | None:
    parts = traceparent.strip().split("-")
    if len(parts) < 4 or [len(part) for part in parts[:4]] != [2, 32, 16, 2] or parts[0] == "ff":
        return None
    try:
        found = SpanContext(
            trace_id=int(parts[1], 16),
            span_id=int(parts[2], 16),
            is_remote=True,
            trace_flags=TraceFlags(int(parts[3], 16)),
            trace_state=TraceState.from_header([tracestate]) if tracestate else None,
        )
    except ValueError:
        return None
    return found if found.is_valid else None
