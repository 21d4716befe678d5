"""What `hanse health` shows."""

from hanse.commands.health import text_of
from shared.events.cluster import Reach
from shared.events.fleet_health import ClusterHealth, FleetHealth, SeenBy


def seen(observer: str, reach: Reach, **known: object) -> SeenBy:
    return SeenBy(observer=observer, reach=reach, age_seconds=2.4, **known)  # type: ignore[arg-type]


def test_each_member_is_shown_as_each_observer_sees_it():
    found = FleetHealth(
        clusters=(
            ClusterHealth(
                cluster="eu-1",
                reach=Reach.SUSPECT,
                conditions=("Ready=Unknown (Suspect): hub: no answer",),
                taints=("cluster.hanse.dev/unreachable:NoSchedule",),
                observers=(
                    seen("hub", Reach.UNREACHABLE, region="eu", failures=7, message="no answer"),
                    seen("us", Reach.REACHABLE, latency_milliseconds=81),
                ),
            ),
            ClusterHealth(cluster="us-1", reach=Reach.UNKNOWN),
        ),
        observers=("hub", "us"),
        quorum=2,
    )
    assert list(text_of(found)) == [
        "CLUSTER  VERDICT  OBSERVER  REGION  SEES                  AGE  LATENCY  MESSAGE",
        "eu-1     Suspect  hub       eu      Unreachable (7 lost)  2s   -        no answer",
        "                  us        -       Reachable             2s   81ms",
        "us-1     Unknown  -         -       -                     -    -        nobody has looked",
        "\n2 of hub, us must agree that a member is gone.",
        "",
        "eu-1: Ready=Unknown (Suspect): hub: no answer",
        "eu-1: cluster.hanse.dev/unreachable:NoSchedule",
    ]


def test_an_empty_federation_says_so():
    assert list(text_of(FleetHealth(clusters=()))) == ["no cluster has joined the federation"]
