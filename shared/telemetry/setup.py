"""Turning telemetry on for a process, and flushing it when the process ends."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import structlog
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import RequestPayloadError
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from structlog.typing import EventDict, WrappedLogger

# What a stranger's broken HTTP ends in: answered with 400, and no concern of an operator's.
_CLIENT_FAULTS = (HttpProcessingError, RequestPayloadError, ConnectionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class TelemetrySettings:
    """Where logs and traces go."""

    log_level: str = "info"
    """debug, info, warning or error."""

    otlp_endpoint: str = ""
    """Base URL of an OTLP/HTTP collector; empty exports no traces."""

    trace_ratio: float = 1.0
    """The share of new traces that are sampled; a caller's own decision is kept."""


def _add_trace(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


def configure_logs(service: str, level: str) -> None:
    """JSON lines on standard error; what libraries log joins them from `warning` up."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)

    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            add_service,
            _add_trace,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(service))
    handler.addFilter(_is_no_client_fault)
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)


class _JsonLines(logging.Formatter):
    """A record of a library as one line of JSON, its exception included."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "logger": record.name,
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": self.formatTime(record),
            "service": self._service,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802, ARG002
        moment = datetime.fromtimestamp(record.created, UTC)
        return moment.isoformat().replace("+00:00", "Z")


def _is_no_client_fault(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not (record.name.startswith("aiohttp.") and isinstance(error, _CLIENT_FAULTS))


@contextmanager
def telemetry(service: str, settings: TelemetrySettings) -> Iterator[None]:
    """Logs and traces for one process; entered first and left last.

    Trace ids reach logs and members whether or not anything is exported. Where nothing is, a span
    is nothing but its ids, unless a caller has its own trace sampled.
    """
    configure_logs(service, settings.log_level)
    begun_here = TraceIdRatioBased(settings.trace_ratio) if settings.otlp_endpoint else ALWAYS_OFF
    provider = TracerProvider(
        resource=Resource.create({"service.name": f"hanse-{service}"}),
        sampler=ParentBased(begun_here),
    )
    if settings.otlp_endpoint:
        endpoint = settings.otlp_endpoint.rstrip("/") + "/v1/traces"
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
