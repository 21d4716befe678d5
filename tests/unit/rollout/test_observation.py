from datetime import UTC, datetime

import msgspec
import pytest

from services.propagator.core.rollout.gate import Watch, judge
from services.propagator.core.rollout.observation import Outcome, Seen, observe
from services.propagator.core.rollout.stages import stages_of
from services.propagator.core.works import Held
from shared.api.binding import ClusterReport, Health
from shared.api.cluster import Cluster, ClusterStatus
from shared.api.drift import DriftedField, DriftReport
from shared.api.meta import Condition
from shared.api.rollout import RolloutCluster
from shared.api.staging import RolloutStrategy


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


def test_what_a_policy_leaves_changed_is_well_and_said():
    field = DriftedField(path=".spec.image", actor="kubectl-set", ordered='"web:2"', found='"x:1"')
    drift = DriftReport(state="Reported", since="2026-01-01T00:00:00Z", fields=(field,))
    said = msgspec.structs.replace(report(), drift=drift)
    seen = observe(said, held(), "d", cluster())
    assert seen.outcome is Outcome.HEALTHY
    assert seen.message.startswith("""others' changes stand: .spec.image "web:2" -> "x:1" by""")
    contested = msgspec.structs.replace(drift, state="Contested")
    said = msgspec.structs.replace(report(), drift=contested)
    assert observe(said, held(), "d", cluster()).message == ""


def test_it_is_said_of_the_cluster_once_it_counts_as_updated():
    seen = Seen(Outcome.HEALTHY, applied=True, message="others' changes stand")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    one = RolloutCluster(name="a", state="Updating", since="2026-01-01T00:00:00.000000Z")
    (stage,) = stages_of(RolloutStrategy())
    judged = judge(one, seen, stage, Watch(now=now, since=now)).cluster
    assert (judged.state, judged.message) == ("Updated", "others' changes stand")
