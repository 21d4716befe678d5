"""A federation that does not come up says which child failed, and what it said last."""

from pathlib import Path

import pytest

from hanse.local import federation
from hanse.local.federation import FederationFailed, FederationSettings, start_federation


async def test_a_child_that_does_not_come_up_has_the_last_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(federation, "DEATHS_MAX", 1)
    settings = FederationSettings(
        data_dir=tmp_path, clusters=0, service_environment={"HANSE_STOP_SECONDS": "nonsense"}
    )
    with pytest.raises(FederationFailed) as failed:
        async with start_federation(settings):
            pass
    told = str(failed.value)
    assert told.startswith("gateway did not come up")
    assert "it ended with status 2" in told
    assert "HANSE_STOP_SECONDS" in told
