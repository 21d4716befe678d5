"""From the words of all observers of a member to one verdict.

A verdict needs evidence (invariant 5). A member is Unreachable when most observers say so and none
gets an answer. One that some reach and most do not is Suspect: what runs there stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.health.core.panel import Panel
from shared.events.cluster import Observation, Reach

# Being turned away is an answer; the best one counts.
_ANSWERS = (Reach.REACHABLE, Reach.NOT_READY, Reach.CREDENTIALS_REFUSED)
_MISSED_MIN = 2
"""Probes in a row without an answer before a doubt is worth telling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is believed of a member, and why in one sentence.

    `lasting`, of a Suspect: it is more than one lost probe. `dissent` names those who see it
    otherwise than the verdict has it, or do not count, and why.
    """

    reach: Reach
    message: str = ""
    lasting: bool = False
    dissent: str = ""


def judge(observations: Sequence[Observation], panel: Panel | None = None) -> Verdict:
    """Join the words of *panel* (default: of those who speak); without any it is Unknown."""
    if panel is None:
        panel = Panel(frozenset(each.observer for each in observations))
    words = [each for each in observations if each.reach is not Reach.UNKNOWN]
    if not words:
        return Verdict(reach=Reach.UNKNOWN, message="no observer has looked")
    counted = [each for each in words if each.observer not in panel.blind]
    gone = [each for each in counted if each.reach is Reach.UNREACHABLE]
    if panel.observers:
        # What is silent about itself may have died alone: that is no vote where others look.
        gone = [each for each in gone if not each.own]
    doubting = [each for each in counted if each.reach is Reach.SUSPECT]
    # Nobody hears an answer that there was not, however blind.
    answered = [each for each in words if each.reach in _ANSWERS]
    if len(gone) >= panel.quorum:
        # Who has lost a single probe heard it a moment ago.
        heard = answered or any(each.failures < _MISSED_MIN for each in doubting)
        if not heard:
            return _verdict(Reach.UNREACHABLE, gone, words, panel)
        return _verdict(Reach.SUSPECT, gone, words, panel, lasting=True)
    if answered:
        best = min(answered, key=lambda each: _ANSWERS.index(each.reach)).reach
        agreeing = [each for each in answered if each.reach is best]
        return _verdict(best, agreeing, words, panel)
    lasting = bool(gone) or any(each.failures >= _MISSED_MIN for each in doubting)
    return _verdict(Reach.SUSPECT, [*gone, *doubting] or words, words, panel, lasting=lasting)


def _verdict(
    reach: Reach,
    agreeing: Sequence[Observation],
    words: Sequence[Observation],
    panel: Panel,
    *,
    lasting: bool = False,
) -> Verdict:
    first = min(agreeing, key=lambda each: each.observer)
    text = f"{first.observer}: {first.message}" if first.message else f"seen by {first.observer}"
    others = sorted(each.observer for each in words if each not in agreeing)
    return Verdict(
        reach=reach,
        message=f"{text}; seen otherwise by {', '.join(others)}" if others else text,
        lasting=lasting,
        dissent=_dissent(words, panel),
    )


def _dissent(words: Sequence[Observation], panel: Panel) -> str:
    """Say who sees what, where some reach the member and some do not."""
    ordered = sorted(words, key=lambda each: each.observer)
    blind = [each.observer for each in ordered if each.observer in panel.blind]
    without = [each.observer for each in ordered if each.reach is Reach.UNREACHABLE]
    with_answer = [each.observer for each in ordered if each.reach in _ANSWERS]
    parts = []
    if without and with_answer:
        parts.append(f"{_names(with_answer)} get an answer, {_names(without)} none")
    if blind:
        parts.append(f"{_names(blind)} see most of the fleet gone and do not count")
    return "; ".join(parts)


def _names(names: Sequence[str]) -> str:
    return ", ".join(names)
