import pytest

from services.propagator.core.rollout.observation import Outcome, observe
from services.propagator.core.works import Held
from shared.api.binding import ClusterReport, Health
from shared.api.cluster import Cluster, ClusterStatus
from shared.api.meta import Condition


def held(sequence: int = 7, digest: str = "d", *, deleted: bool = False) -> Held:
    return Held(
        sequence=sequence,
        digest=digest,
        template_uid="u",
        template_generation=1,
        api_version="v1",
        kind="ConfigMap",
        deleted=deleted,
        preserve_on_deletion=False,
    )


def report(health: Health = "Healthy", *, generation: int = 7, applied: bool = True):
    return ClusterReport(cluster="a", applied=applied, generation=generation, health=health)


def cluster(ready: str = "") -> Cluster:
    condition = Condition(type="Ready", status=ready, reason="r")
    return Cluster(status=ClusterStatus(conditions=(condition,) if ready else ()))


@pytest.mark.parametrize(
    ("health", "outcome"),
    [
        ("Healthy", Outcome.HEALTHY),
        ("Progressing", Outcome.UNSETTLED),
        ("Degraded", Outcome.DEGRADED),
        ("Unknown", Outcome.SILENT),
    ],
)
def test_a_report_on_the_order_that_stands_counts(health: Health, outcome: Outcome):
    seen = observe(report(health), held(), "d", cluster())
    assert (seen.outcome, seen.applied) == (outcome, True)


@pytest.mark.parametrize(
    ("said", "standing"),
    [
        (None, held()),
        (report(generation=6), held()),
        (report(applied=False), held()),
        (report(), held(digest="another")),
        (report(), held(deleted=True)),
        (report(), None),
    ],
)
def test_a_report_on_anything_else_says_nothing(said: ClusterReport | None, standing: Held | None):
    seen = observe(said, standing, "d", cluster())
    assert (seen.outcome, seen.applied) == (Outcome.UNSETTLED, False)
    assert seen.reported is (said is not None and not said.applied)


@pytest.mark.parametrize("ready", ["False", "Unknown"])
def test_the_last_word_of_a_member_that_is_not_there_counts_for_nothing(ready: str):
    assert observe(report(), held(), "d", cluster(ready)).outcome is Outcome.SILENT
    assert observe(report(), held(), "d", None).outcome is Outcome.SILENT
    assert observe(report(), held(), "d", cluster("True")).outcome is Outcome.HEALTHY
