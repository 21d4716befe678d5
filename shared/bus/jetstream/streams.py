"""Making the declared streams and consumers exist, as often as one likes."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from shared.bus.jetstream.connection import ApiError, Connection
from shared.bus.topology import MEBIBYTE, MESSAGE_BYTES_MAX, Consumer, Stream
from shared.errors import StoreUnavailable, TerminalError

PIN_GROUP = "pinned"
PIN_SECONDS = 2
"""A pinned reader that asked for nothing for so long loses its place to another."""

DUPLICATE_WINDOW = timedelta(minutes=2)
EXPIRY_MARKER = timedelta(minutes=1)
_NOT_FOUND = 404
_NAME_IN_USE = 10058
# What a stream may grow to is set aside, and asked for once more of one that is there already.
_NO_ROOM = 10047


def nanoseconds(span: timedelta) -> int:
    return round(span.total_seconds() * 1_000_000_000)


def stream_config(stream: Stream, replicas: int) -> dict[str, Any]:
    # discard=old, unlike a bucket made by the client: it allows schedules and counters, and a
    # bucket without a size limit never has anything to refuse.
    config: dict[str, Any] = {
        "name": stream.name,
        "subjects": list(stream.subjects),
        "retention": "workqueue" if stream.work_queue else "limits",
        "storage": "file",
        "discard": "old",
        "max_msgs": -1,
        "max_bytes": stream.bytes_max,
        "max_age": nanoseconds(stream.age_max) if stream.age_max else 0,
        "max_msgs_per_subject": stream.per_subject_max,
        "max_msg_size": MESSAGE_BYTES_MAX,
        "num_replicas": max(replicas, stream.replicas),
        "duplicate_window": nanoseconds(DUPLICATE_WINDOW),
        "allow_direct": True,
        "allow_rollup_hdrs": True,
        "deny_delete": True,
    }
    if stream.message_ttl:
        config["allow_msg_ttl"] = True
    if stream.expiry_markers:
        config["subject_delete_marker_ttl"] = nanoseconds(EXPIRY_MARKER)
    return config


def consumer_config(consumer: Consumer) -> dict[str, Any]:
    config: dict[str, Any] = {
        "durable_name": consumer.name,
        "name": consumer.name,
        "ack_policy": "explicit",
        "deliver_policy": "all",
        "ack_wait": nanoseconds(consumer.ack_wait),
        "max_ack_pending": consumer.pending_max,
        "max_waiting": 512,
        "filter_subjects": list(consumer.filters),
    }
    if consumer.exclusive:
        config["priority_groups"] = [PIN_GROUP]
        config["priority_policy"] = "pinned_client"
        config["priority_timeout"] = PIN_SECONDS * 1_000_000_000
    return config


async def ensure_topology(
    connection: Connection, streams: Iterable[Stream], replicas: int | None = None
) -> None:
    """Create each stream, or bring it to its declaration. Raises `StoreUnavailable`."""
    copies = connection.settings.replicas if replicas is None else replicas
    await asyncio.gather(*(_ensure(connection, stream, copies) for stream in streams))


async def _ensure(connection: Connection, stream: Stream, replicas: int) -> None:
    config = stream_config(stream, replicas)
    try:
        try:
            await connection.api(f"STREAM.CREATE.{stream.name}", config)
        except ApiError as err:
            if err.code not in (_NAME_IN_USE, _NO_ROOM):
                raise
            await _update(connection, stream, config, instead=err)
    except ApiError as err:
        room = (
            f", with {stream.bytes_max // MEBIBYTE} MiB set aside" if err.code == _NO_ROOM else ""
        )
        raise StoreUnavailable(f"stream {stream.name} cannot be made{room}: {err}") from err


async def _update(
    connection: Connection, stream: Stream, config: dict[str, Any], *, instead: ApiError
) -> None:
    """Bring a stream to its declaration; raises *instead* where there is none."""
    try:
        await connection.api(f"STREAM.UPDATE.{stream.name}", config)
    except ApiError as err:
        raise (instead if err.status == _NOT_FOUND else err) from None


async def ensure_consumer(connection: Connection, consumer: Consumer) -> None:
    """Create the durable position or bring it to its declaration. Raises `StoreUnavailable`."""
    stream = consumer.stream.name
    body = {"stream_name": stream, "config": consumer_config(consumer), "action": ""}
    try:
        await connection.api(f"CONSUMER.CREATE.{stream}.{consumer.name}", body)
    except ApiError as err:
        if err.status == 400:
            raise TerminalError(f"{consumer.name}: {err}", reason="BadConsumer") from err
        raise StoreUnavailable(f"consumer {consumer.name} cannot be made: {err}") from err
