"""What happens to drift by policy: corrected, reported, ignored; and who never gives up."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.api.drift import DriftReport
from shared.apimachinery.manifest import GroupVersionKind, Manifest, ObjectKey, uid_of
from shared.events.drift import DriftContested, DriftDetected, DriftFact
from shared.memberapi.http import open_member
from shared.memberapi.port import ResourceType
from tests.federation import Federation, config_map, config_map_key, eventually, on_jetstream

CONFIG_MAPS = ResourceType(GroupVersionKind("", "v1", "ConfigMap"), "configmaps", namespaced=True)
SECRETS = ResourceType(GroupVersionKind("", "v1", "Secret"), "secrets", namespaced=True)
A = config_map_key("a")
REPORT = {"mode": "Report"}


@pytest.fixture
async def federation(tmp_path: Path) -> AsyncIterator[Federation]:
    async with on_jetstream(tmp_path, ["eu-1"]) as found:
        yield found


async def edit(
    federation: Federation, patch: Manifest, kind: ResourceType = CONFIG_MAPS, name: str = "a"
) -> None:
    """Somebody changes an object in the member."""
    credentials = federation.members["eu-1"].credentials()
    async with open_member(credentials, name="somebody") as api:
        assert await api.merge(kind, "shop", name, patch, manager="kubectl-edit")


async def remove(federation: Federation) -> None:
    credentials = federation.members["eu-1"].credentials()
    async with open_member(credentials, name="somebody") as api:
        live = await api.get(CONFIG_MAPS, "shop", "a")
        assert live is not None
        await api.delete(CONFIG_MAPS, "shop", "a", uid=uid_of(live), propagation="Background")


async def order(
    federation: Federation, value: str = "1", generation: int = 1, **spec: Any
) -> ObjectKey:
    await federation.write(A, config_map("a", value, generation=generation))
    binding = await federation.bind(A, {"eu-1": None}, **spec)
    await applied(federation, A, generation)
    return binding


async def applied(federation: Federation, key: ObjectKey, generation: int = 1) -> None:
    async def holds() -> bool:
        report = await federation.report("eu-1", key)
        return report is not None and report.applied and report.template_generation == generation

    await eventually(holds)


def data(federation: Federation) -> dict[str, str]:
    return dict(federation.members["eu-1"].get("configmaps", "a").get("data") or {})


async def standing(federation: Federation) -> DriftReport | None:
    report = await federation.report("eu-1", A)
    return (report.drift or None) if report is not None else None


async def until_fact(federation: Federation, what: str, type_: type[DriftFact]) -> Any:
    facts = await eventually(lambda: federation.facts("drift", what))
    return msgspec.json.decode(facts[-1], type=type_)


async def until_settled(federation: Federation) -> None:
    async def none() -> bool:
        return await standing(federation) is None

    await eventually(none)


async def test_drift_that_is_reported_stands_until_it_is_put_back(federation: Federation) -> None:
    await order(federation, drift=REPORT)
    await edit(federation, {"data": {"a": "2"}})
    fact = await until_fact(federation, "detected", DriftDetected)
    (field,) = fact.fields
    assert (field.path, field.actor, field.operation) == (".data.a", "kubectl-edit", "Update")
    assert (field.ordered, field.found) == ('"1"', '"2"')
    assert fact.since == field.time
    found = await eventually(lambda: standing(federation))
    assert (found.state, found.fields, found.since) == ("Reported", (field,), field.time)

    # What changes in the template comes all the same, the rest stays theirs.
    await federation.write(A, {**config_map("a", generation=2), "data": {"a": "1", "b": "2"}})
    await federation.bind(A, {"eu-1": None}, drift=REPORT)
    await applied(federation, A, 2)
    assert data(federation) == {"a": "2", "b": "2"}
    assert await standing(federation) is not None

    await edit(federation, {"data": {"a": "1"}})
    await until_settled(federation)
    assert len(await federation.facts("drift", "settled")) == 1
    assert not await federation.facts("drift", "corrected")


async def test_drift_that_is_ignored_by_path_is_left_and_not_told(federation: Federation) -> None:
    ignored = {"paths": [{"path": "/data/a"}]}
    await order(federation, drift=ignored)
    await edit(federation, {"data": {"a": "2"}})
    await federation.write(A, {**config_map("a", "3", generation=2)})
    await federation.bind(A, {"eu-1": None}, drift=ignored)
    await applied(federation, A, 2)
    assert data(federation) == {"a": "2"}
    # Everything else is corrected as ever.
    await edit(federation, {"metadata": {"labels": {"hanse.dev/managed": None}}})
    await eventually(lambda: federation.facts("drift", "corrected"))
    assert data(federation) == {"a": "2"}
    assert await standing(federation) is None
    assert not await federation.facts("drift", "detected")
    # Until the policy changes its mind.
    await federation.bind(A, {"eu-1": None})
    await eventually(lambda: data(federation) == {"a": "3"})


async def test_what_was_deleted_stays_deleted_where_the_policy_only_reports(
    federation: Federation,
) -> None:
    await order(federation, drift=REPORT)
    await remove(federation)
    fact = await until_fact(federation, "detected", DriftDetected)
    assert (fact.change, fact.fields) == ("Deleted", ())

    async def told() -> bool:
        report = await federation.report("eu-1", A)
        return report is not None and report.reason == "Deleted" and not report.present

    await eventually(told)
    async with federation.applying():
        # Another worker does not bring it either; the next order does.
        await order(federation, "2", 2, drift=REPORT)
    assert data(federation) == {"a": "2"}
    await until_settled(federation)


@pytest.mark.parametrize("change", ["edited", "deleted"])
async def test_what_stood_is_settled_by_a_policy_that_puts_it_right(
    federation: Federation, change: str
) -> None:
    await order(federation, drift=REPORT)
    await (remove(federation) if change == "deleted" else edit(federation, {"data": {"a": "2"}}))
    await eventually(lambda: standing(federation))
    await federation.bind(A, {"eu-1": None})
    await until_settled(federation)
    assert data(federation) == {"a": "1"}
    await eventually(lambda: federation.facts("drift", "settled"))


async def test_values_of_secrets_are_not_told(federation: Federation) -> None:
    key = ObjectKey("", "secrets", "shop", "key")
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "key", "namespace": "shop", "uid": "s", "generation": 1},
        "data": {"a": "c2VjcmV0"},
    }
    await federation.write(key, secret)
    await federation.bind(key, {"eu-1": None}, drift=REPORT)
    await applied(federation, key)
    await edit(federation, {"data": {"a": "b3RoZXI="}}, SECRETS, "key")
    (fact,) = await eventually(lambda: federation.facts("drift", "detected"))
    report = await federation.report("eu-1", key)
    assert report is not None
    assert report.drift
    for told in (fact, msgspec.json.encode(report.drift)):
        assert b"(redacted)" in told
        assert b"c2VjcmV0" not in told
        assert b"b3RoZXI=" not in told


async def test_who_never_gives_up_is_met_ever_more_slowly_and_named(
    federation: Federation,
) -> None:
    await order(federation)
    member, rounds = federation.members["eu-1"], 0

    async def insist() -> bool:
        nonlocal rounds
        if data(federation)["a"] == "1":
            rounds += 1
            await edit(federation, {"data": {"a": "2"}})
        return await standing(federation) is not None

    found = await eventually(insist, 30)
    assert found
    drift = await standing(federation)
    assert drift is not None
    assert (drift.state, drift.fields[0].actor) == ("Contested", "kubectl-edit")
    fact = await until_fact(federation, "contested", DriftContested)
    assert fact.corrections == rounds - 1 or fact.corrections == rounds
    # A new order is not kept waiting by the fight.
    await federation.write(A, config_map("a", "5", generation=2))
    await federation.bind(A, {"eu-1": None})
    await eventually(lambda: member.get("configmaps", "a")["data"]["a"] == "5", 3)
