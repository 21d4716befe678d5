"""How soon a member answers from each region, and when a change of that is worth telling."""

from collections.abc import Sequence

from shared.api.cluster import RegionLatency
from shared.events.cluster import Observation, Reach
from shared.events.round_trips import has_moved


def latencies_after(
    told: Sequence[RegionLatency], words: Sequence[Observation]
) -> tuple[RegionLatency, ...]:
    """Return the latency from each region whose observers speak, in order of the regions.

    What has hardly moved stays as it was told; so does a region whose observers get no answer. The
    propagator beside the member measures no network, so its word is not counted.
    """
    known = {one.region: one.milliseconds for one in told}
    found: dict[str, int | None] = {}
    for word in words:
        if not word.region or word.own:
            continue
        least = found.setdefault(word.region, None)
        measured = word.latency_milliseconds if word.reach is Reach.REACHABLE else None
        if measured is not None:
            found[word.region] = measured if least is None else min(least, measured)
    kept = []
    for region, measured in sorted(found.items()):
        old = known.get(region)
        least = old if measured is None or not has_moved(old, measured) else measured
        if least is not None:
            kept.append(RegionLatency(region=region, milliseconds=least))
    return tuple(kept)
