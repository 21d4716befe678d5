"""The table of what members reported last."""

import msgspec

from services.health.reconcilers.reports import ReportTable
from shared.apimachinery.manifest import ObjectKey
from shared.events.work import WorkReport

WEB = ObjectKey("apps", "deployments", "shop", "web")
REPORT = WorkReport(
    generation=7,
    template_uid="u",
    template_generation=2,
    applied=True,
    present=True,
    observed_time="2026-01-01T00:00:00Z",
)


def test_a_report_on_an_earlier_order_is_passed_over() -> None:
    table = ReportTable()
    table.put(WEB, "eu-1", REPORT)
    table.put(WEB, "eu-1", msgspec.structs.replace(REPORT, generation=6, present=False))
    assert table.of(WEB) == {"eu-1": REPORT}


def test_a_later_report_on_the_same_order_is_kept() -> None:
    table = ReportTable()
    table.put(WEB, "eu-1", REPORT)
    later = msgspec.structs.replace(REPORT, health="Healthy")
    table.put(WEB, "eu-1", later)
    assert table.of(WEB) == {"eu-1": later}
