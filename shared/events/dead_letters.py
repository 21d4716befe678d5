"""What could not be processed, as others see it: the requests `hanse.api.deadletters.*`.

A letter's id is the end of its subject in DEAD: `registry.commands-17` is the seventeenth message
of COMMANDS, which the registry set aside.
"""

import msgspec


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """`subject`, `sequence` and `body` are those of the message that was set aside.

    `body` is text; what is none is shown with replacement characters, and cut off when it is long.
    """

    id: str
    service: str
    reason: str
    subject: str
    stream: str
    sequence: int
    attempts: int
    type: str = ""
    source: str = ""
    body: str = ""


class DeadLetterList(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The oldest first. `more` says how many there are beside these."""

    letters: tuple[DeadLetter, ...]
    more: int = 0


class ListDeadLetters(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    """Answered by a `DeadLetterList`. With `id` of that one, its body in full length."""

    id: str = ""


class RetryDeadLetters(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    """Answered by `RetriedDeadLetters`. Either ids, or all there are."""

    ids: tuple[str, ...] = ()
    all: bool = False


class RetriedDeadLetters(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of each: sent again; outdated, since something newer was said; not there."""

    retried: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
