"""What is set aside for good: the message as it was, where it came from, and why."""

from shared.bus.port import Message
from shared.bus.topology import Consumer
from shared.events.dead_letters import DeadLetter
from shared.events.envelope import MESSAGE_ID
from shared.events.subjects import DEAD, dead, decode_token

REASON = "Hanse-Reason"
SUBJECT = "Hanse-Subject"
STREAM = "Hanse-Stream"
SEQUENCE = "Hanse-Sequence"
ATTEMPTS = "Hanse-Attempts"
_REASON_LENGTH_MAX = 1000
_ADDED = frozenset({REASON, SUBJECT, STREAM, SEQUENCE, ATTEMPTS, MESSAGE_ID})


def dead_letter(
    service: str, consumer: Consumer, message: Message, attempt: int, reason: str
) -> Message:
    """Build the message for DEAD; the same one twice is stored once."""
    kept = {name: value for name, value in message.headers.items() if not name.startswith("Nats-")}
    stream = consumer.stream.name
    kept |= {
        REASON: " ".join(reason.split())[:_REASON_LENGTH_MAX],
        SUBJECT: message.subject,
        STREAM: stream,
        SEQUENCE: str(message.sequence),
        ATTEMPTS: str(attempt),
        MESSAGE_ID: f"dead/{stream}/{consumer.name}/{message.sequence}",
    }
    return Message(dead(service, stream, message.sequence), message.body, kept)


def read_letter(message: Message) -> DeadLetter:
    """What a message of DEAD says; one that was put there by hand may say little."""
    headers = message.headers
    letter_id = message.subject.removeprefix(f"{DEAD}.")
    return DeadLetter(
        id=letter_id,
        service=decode_token(letter_id.partition(".")[0]),
        reason=headers.get(REASON, ""),
        subject=headers.get(SUBJECT, ""),
        stream=headers.get(STREAM, ""),
        sequence=_number(headers.get(SEQUENCE)),
        attempts=_number(headers.get(ATTEMPTS)),
        type=headers.get("ce-type", ""),
        source=headers.get("ce-source", ""),
        body=message.body.decode(errors="replace"),
    )


def original_of(letter: Message) -> Message:
    """The message that was set aside, as it was; its subject is empty where none is known."""
    kept = {name: value for name, value in letter.headers.items() if name not in _ADDED}
    sequence = _number(letter.headers.get(SEQUENCE))
    return Message(letter.headers.get(SUBJECT, ""), letter.body, kept, sequence)


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


def exhausted(consumer: Consumer, attempt: int) -> bool:
    """Whether *attempt* is one more than the consumer allows."""
    return 0 < consumer.attempts_max < attempt
