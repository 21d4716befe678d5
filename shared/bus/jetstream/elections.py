"""Asking whoever leads a stream of several copies, also while its nodes choose who that is.

A node that is killed says nothing to what it was asked, and NATS takes four to nine seconds to
choose another leader. So what is not answered is asked again, of whoever answers then, until it is
or patience ends. That is right for questions, and for writes that bear a `Nats-Msg-Id` and the
sequence that they expect: the stream knows those that it has taken, whoever leads it, and answers
them with the sequence they have.
"""

import asyncio
from datetime import timedelta

import msgspec

from shared.bus.jetstream.pipe import Pipe, Reply, Unanswered
from shared.errors import StoreUnavailable

LOOK_SECONDS = 0.1
"""From a refusal to the next question."""

AGAIN_SECONDS = 2.0
"""What is not answered for so long is asked again: what was sent while nobody led is lost."""

NO_RESPONDERS = 503
_NOT_AVAILABLE = 10008
_IN_PROCESS = 10158
_NOT_READY = 10163
_PASSING = (_NOT_AVAILABLE, _IN_PROCESS, _NOT_READY)
# What a leader that is none any more says of a write: with no code of its own.
_NOT_LEADER = "raft: not leader"


class _Error(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Answer(msgspec.Struct):
    error: _Error | None = None


_decode = msgspec.json.Decoder(_Answer).decode


async def ask_leader(
    pipe: Pipe,
    subject: str,
    body: bytes,
    headers: dict[str, str] | None,
    *,
    patience: timedelta,
) -> Reply:
    """Return the leader's answer.

    When patience ends: raises `Unanswered` where a question got no answer, `StoreUnavailable`
    where none was sent, and returns the last refusal where all were refused.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + patience.total_seconds()
    unanswered: Unanswered | None = None
    while True:
        refused: Reply | None = None
        failed: Exception | None = None
        left = max(end - loop.time(), LOOK_SECONDS)
        try:
            async with asyncio.timeout(min(AGAIN_SECONDS, left)):
                refused = await pipe.request(subject, body, headers)
            if not _is_passing(refused):
                return refused
        except (TimeoutError, Unanswered):
            unanswered = Unanswered(f"no answer in {patience.total_seconds():g} s")
        except StoreUnavailable as err:
            # Nothing was sent: the next node is being connected to.
            failed = err
        if loop.time() >= end:
            if failed := unanswered or failed:
                raise failed
            assert refused is not None, "it was answered or it failed"
            return refused
        await asyncio.sleep(LOOK_SECONDS)


def _is_passing(reply: Reply) -> bool:
    """Whether it is refused for no other reason than that nobody leads, or not yet."""
    if reply.status == NO_RESPONDERS:
        return True
    try:
        error = _decode(reply.body).error
    except msgspec.DecodeError:
        return False
    return error is not None and (
        error.err_code in _PASSING or error.description.startswith(_NOT_LEADER)
    )
