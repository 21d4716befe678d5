"""What is set aside for good: the message as it was, where it came from, and why."""

from shared.bus.port import Message
from shared.bus.topology import Consumer
from shared.events.envelope import MESSAGE_ID
from shared.events.subjects import dead, encode_token

REASON = "Hanse-Reason"
SUBJECT = "Hanse-Subject"
STREAM = "Hanse-Stream"
SEQUENCE = "Hanse-Sequence"
ATTEMPTS = "Hanse-Attempts"
_REASON_LENGTH_MAX = 1000


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
    return Message(dead(encode_token(service)), message.body, kept)


def exhausted(consumer: Consumer, attempt: int) -> bool:
    """Whether *attempt* is one more than the consumer allows."""
    return 0 < consumer.attempts_max < attempt
