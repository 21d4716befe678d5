"""Commands: each is carried out once more than never, and answered by a fact.

Everything a command asks is idempotent, so a repeat after a crash does no harm. Commands are
taken in order and one at a time: a sender that applies and then scales means it in that order.
"""

from datetime import timedelta

import structlog
from opentelemetry import trace

from services.registry.reconcilers.door import Door, manager_of
from services.registry.reconcilers.scores import ScoreDoor
from shared.api.meta import API_VERSION
from shared.apimachinery.manifest import GroupVersionKind, Manifest, name_of, namespace_of
from shared.apiserver.requests.target import PROPAGATION_POLICIES, DeleteOptions, WriteOptions
from shared.apiserver.status_errors import ApiFault, bad_request, from_error
from shared.bus import topology
from shared.bus.port import Bus, Delivery, Message
from shared.clock import Clock, format_micro_time
from shared.errors import HanseError, MalformedEvent
from shared.events import commands, subjects
from shared.events.commands import (
    Apply,
    Command,
    CommandAnswered,
    CommandCompleted,
    CommandRefused,
    CommandResult,
    Delete,
    ObjectAddress,
    Scale,
)
from shared.events.envelope import Envelope, fact_envelope
from shared.events.scores import PublishScores
from shared.telemetry.propagation import extract

log = structlog.get_logger("hanse.registry")
tracer = trace.get_tracer("hanse.registry")

# Answers that may be another one later.
_RETRYABLE = frozenset({429, 503, 504})
_RETRY_AFTER = timedelta(seconds=2)


class CommandDoor:
    """Works through COMMANDS."""

    def __init__(self, bus: Bus, door: Door, clock: Clock, *, attempts_max: int) -> None:
        self._bus = bus
        self._door = door
        self._clock = clock
        self._attempts_max = attempts_max
        self._scores = ScoreDoor(bus, door.serving.store, clock)

    async def run(self) -> None:
        """Take commands until cancelled."""
        async with self._bus.consume(topology.commands()) as deliveries:
            async for delivery in deliveries:
                context = extract(delivery.message.headers)
                with tracer.start_as_current_span("command", context=context):
                    await self._take(delivery)

    async def _take(self, delivery: Delivery) -> None:
        message = delivery.message
        try:
            envelope, data = commands.read_envelope(message.headers, message.body)
        except MalformedEvent as err:
            log.warning("command.malformed", subject=message.subject, error=str(err))
            await delivery.reject(str(err))
            return
        try:
            command = commands.decode_command(envelope.type, data)
        except MalformedEvent as err:
            log.warning("command.malformed", id=envelope.id, error=str(err))
            await self._answer(envelope, [], reason="MalformedEvent", message=str(err))
            await delivery.reject(str(err))
            return
        try:
            results = await self._carry_out(command, envelope)
        except Exception:
            # A bug met by one command stops neither the others nor the service.
            log.exception("command.bug", id=envelope.id, type=envelope.type)
            await self._answer(envelope, [], reason="InternalError", message="see the log")
            await delivery.reject("InternalError")
            return
        await self._finish(delivery, envelope, results)

    async def _finish(
        self, delivery: Delivery, envelope: Envelope, results: list[CommandResult]
    ) -> None:
        refused = next((each for each in results if each.outcome == "refused"), None)
        if refused is None:
            await self._answer(envelope, results)
            await delivery.acknowledge()
        elif any(each.code in _RETRYABLE for each in results):
            if delivery.attempt < self._attempts_max:
                await delivery.retry(_RETRY_AFTER)
                return
            await self._answer(envelope, results, refused.reason, refused.message)
            await delivery.reject(f"{refused.reason}: {refused.message}")
        else:
            await self._answer(envelope, results, refused.reason, refused.message)
            await delivery.acknowledge()

    async def _carry_out(self, command: Command, envelope: Envelope) -> list[CommandResult]:
        options = WriteOptions(field_manager=manager_of(envelope.source), field_validation="Strict")
        match command:
            case Apply():
                return [await self._apply(each, options) for each in command.manifests]
            case Delete():
                return [await self._delete(command)]
            case Scale():
                return [await self._scale(command, options)]
            case PublishScores():
                return await self._score(command, envelope.source)

    async def _apply(self, manifest: Manifest, options: WriteOptions) -> CommandResult:
        try:
            gvk = GroupVersionKind.of(manifest)
            outcome = await self._door.apply(manifest, options)
        except (ApiFault, HanseError) as err:
            address = ObjectAddress(
                api_version=str(manifest.get("apiVersion", "")),
                kind=str(manifest.get("kind", "")),
                namespace=namespace_of(manifest),
                name=name_of(manifest),
            )
            return _refusal(address, err)
        stored = outcome.stored
        return CommandResult(
            api_version=gvk.api_version,
            kind=gvk.kind,
            namespace=stored.key.namespace,
            name=stored.key.name,
            outcome="created" if outcome.created else "applied",
            resource_version=str(stored.revision),
            message="; ".join(outcome.warnings)[:1024],
        )

    async def _delete(self, command: Delete) -> CommandResult:
        try:
            if command.propagation_policy not in ("", *PROPAGATION_POLICIES):
                raise bad_request("propagationPolicy: Unsupported value")
            options = DeleteOptions(propagation=command.propagation_policy)
            await self._door.delete(command, options)
        except (ApiFault, HanseError) as err:
            # "Not there" is done; "no such kind", which is 404 too, is a mistake.
            if isinstance(err, ApiFault) and err.code == 404 and err.details:
                return _result(command, "absent")
            return _refusal(command, err)
        return _result(command, "deleted")

    async def _scale(self, command: Scale, options: WriteOptions) -> CommandResult:
        try:
            await self._door.scale(command, command.replicas, options)
        except (ApiFault, HanseError) as err:
            return _refusal(command, err)
        return _result(command, "scaled")

    async def _score(self, command: PublishScores, source: str) -> list[CommandResult]:
        try:
            return await self._scores.publish(command, source)
        except HanseError as err:
            about = ObjectAddress(api_version=API_VERSION, kind="Cluster", name="")
            return [_refusal(about, err)]

    async def _answer(
        self,
        envelope: Envelope,
        results: list[CommandResult],
        reason: str = "",
        message: str = "",
    ) -> None:
        now = self._clock.now()
        known = {
            "id": envelope.id,
            "source": envelope.source,
            "command": envelope.type,
            "occurred_at": format_micro_time(now),
        }
        answer: CommandAnswered = CommandCompleted(**known, results=tuple(results))
        verb = commands.COMPLETED
        if reason:
            answer = CommandRefused(**known, results=tuple(results), reason=reason, message=message)
            verb = commands.REFUSED
        fact = fact_envelope(
            commands.answer_type(answer),
            service="registry",
            identity=f"{envelope.source}/{envelope.id}",
            at=now,
        )
        subject = subjects.fact("command", verb, envelope.id)
        await self._bus.publish(Message(subject, commands.encode_answer(answer), fact.headers()))


def _result(address: ObjectAddress, outcome: str) -> CommandResult:
    return CommandResult(
        api_version=address.api_version,
        kind=address.kind,
        namespace=address.namespace,
        name=address.name,
        outcome=outcome,
    )


def _refusal(address: ObjectAddress, error: Exception) -> CommandResult:
    fault = from_error(error)
    return CommandResult(
        api_version=address.api_version,
        kind=address.kind,
        namespace=address.namespace,
        name=address.name,
        outcome="refused",
        code=fault.code,
        reason=fault.reason,
        message=str(fault),
    )
