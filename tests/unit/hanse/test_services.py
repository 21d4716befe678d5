"""What `hanse services` shows of who gets how much, and why somebody gets nothing."""

from hanse.commands.services import text_of
from shared.events.services import ExporterView, ServicesOverview, ServiceView


def test_who_gets_nothing_is_said_to_and_what_the_policy_says_is_below() -> None:
    exporters = (
        ExporterView(cluster="eu-1", endpoints=2, ready=2, share=1 / 3, policy_share=0.125),
        ExporterView(cluster="us-1", policy_share=0.0, idle="it is being drained"),
        ExporterView(cluster="ap-1", reachable=False, policy_share=0.0, idle="it is not reachable"),
    )
    service = ServiceView(
        namespace="shop",
        name="web",
        exporters=exporters,
        policy="web",
        troubles=("policy web: edge: httproutes web: refused",),
    )
    lines = [" ".join(line.split()) for line in text_of(ServicesOverview(services=(service,)))]
    assert lines[1:] == [
        "shop/web - - eu-1 2/2 33.3% 12.5%",
        "us-1 0/0 0% 0% it is being drained",
        "ap-1 0/0 0% 0% given up: nobody is sent there",
        "",
        "shop/web: policy web: edge: httproutes web: refused",
    ]
