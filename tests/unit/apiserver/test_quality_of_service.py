from typing import Any

import pytest

from shared.apiserver.writing.quality_of_service import quality_of_service


def container(limits: dict[str, Any] | None = None, **requests: Any) -> dict[str, Any]:
    return {"resources": {"limits": limits or {}, "requests": requests}}


FULL = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("containers", "found"),
    [
        ([container()], "BestEffort"),
        ([container(cpu="0")], "BestEffort"),
        ([container({"example.com/gpu": 1})], "BestEffort"),
        ([container(cpu="10m")], "Burstable"),
        ([container(FULL, cpu="1000m", memory="1024Mi")], "Guaranteed"),
        ([container(FULL, **FULL), container()], "Burstable"),
        ([container(FULL, cpu="1", memory="1")], "Burstable"),
        ([container({"cpu": "1"}, cpu="1")], "Burstable"),
    ],
)
def test_a_pod_is_guaranteed_what_it_is_limited_to(
    containers: list[dict[str, Any]], found: str
) -> None:
    assert quality_of_service({"containers": containers}) == found


def test_what_the_pod_asks_for_as_a_whole_comes_before_its_containers() -> None:
    spec = {"containers": [container(cpu="10m")], **container(FULL, **FULL)}
    assert quality_of_service(spec) == "Guaranteed"
