"""The desk for dead letters: shows what was set aside and why, and sends it again when asked.

A letter leaves DEAD once its message lies again where it came from; should that fail again, there
is a new letter. A command is sent as a new message. An order is said again only while it is the
last word on its object, by compare-and-set: whatever was ordered since counts.
"""

from collections.abc import AsyncIterator, Mapping

import msgspec

from shared.apiserver.answers.requests import answering, read_request
from shared.apiserver.status_errors import bad_request
from shared.bus.dead_letters import original_of, read_letter
from shared.bus.port import Bus, CaughtUp, Handler, Message
from shared.bus.topology import DEAD, WORK
from shared.errors import StaleRevision
from shared.events.dead_letters import (
    DeadLetter,
    DeadLetterList,
    ListDeadLetters,
    RetriedDeadLetters,
    RetryDeadLetters,
)
from shared.events.envelope import MESSAGE_ID
from shared.events.requests import API_DEAD_LIST, API_DEAD_RETRY

SHOWN_MAX = 1_000
EXCERPT_CHARACTERS = 2_000
_ENCODE = msgspec.json.Encoder().encode


class DeadLetterDesk:
    """Answers the requests; the registry is the one who serves it."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def endpoints(self) -> Mapping[str, Handler]:
        return {API_DEAD_LIST: answering(self._list), API_DEAD_RETRY: answering(self._retry)}

    async def _list(self, body: bytes) -> bytes:
        asked = read_request(body, ListDeadLetters)
        shown: list[DeadLetter] = []
        more = 0
        async for message in self._messages():
            letter = read_letter(message)
            if asked.id not in ("", letter.id):
                continue
            if len(shown) == SHOWN_MAX:
                more += 1
                continue
            if not asked.id and len(letter.body) > EXCERPT_CHARACTERS:
                excerpt = letter.body[:EXCERPT_CHARACTERS]
                letter = msgspec.structs.replace(letter, body=f"{excerpt}...")
            shown.append(letter)
        return _ENCODE(DeadLetterList(letters=tuple(shown), more=more))

    async def _retry(self, body: bytes) -> bytes:
        asked = read_request(body, RetryDeadLetters)
        if asked.all == bool(asked.ids):
            raise bad_request("either ids or all must be given")
        found = {read_letter(message).id: message async for message in self._messages()}
        ids = tuple(found) if asked.all else tuple(dict.fromkeys(asked.ids))
        outcomes: dict[str, list[str]] = {"retried": [], "outdated": [], "unknown": []}
        for one in ids:
            message = found.get(one)
            outcome = "unknown" if message is None else await self._send_again(one, message)
            outcomes[outcome].append(one)
        return _ENCODE(msgspec.convert(outcomes, RetriedDeadLetters))

    async def _messages(self) -> AsyncIterator[Message]:
        """All letters, the oldest first."""
        async with self._bus.follow(DEAD, ()) as messages:
            async for message in messages:
                if isinstance(message, CaughtUp):
                    return
                yield message

    async def _send_again(self, letter_id: str, letter: Message) -> str:
        original = original_of(letter)
        if not original.subject:
            # Put there by hand: nobody knows where it belongs.
            return "unknown"
        outcome = "retried"
        if original.subject.startswith(WORK.subjects[0].removesuffix(">")):
            outcome = await self._order_again(original)
        else:
            # One id for each letter: asking twice at once sends it once.
            headers = {**original.headers, MESSAGE_ID: f"retry/{letter_id}/{letter.sequence}"}
            await self._bus.publish(Message(original.subject, original.body, headers))
        # Last: dying in between leaves a letter too many, and no message too few.
        await self._bus.purge(DEAD, letter.subject, up_to=letter.sequence)
        return outcome

    async def _order_again(self, original: Message) -> str:
        try:
            await self._bus.publish(original, expected=original.sequence)
        except StaleRevision:
            return "outdated"
        return "retried"
