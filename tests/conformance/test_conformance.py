"""Every case against Hanse, and against a real kube-apiserver where there is one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.play import Failed, Target, play
from tests.conformance.script import Case, read_cases
from tests.conformance.targets import run_gateway, run_real

HERE = Path(__file__).parent
CRITIQUE = HERE.parents[1] / "docs" / "critique.md"
CASES = list(read_cases(HERE / "cases"))


@pytest.fixture(scope="session")
def hanse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with run_gateway(tmp_path_factory.mktemp("gateway")) as target:
        yield target


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with run_real(tmp_path_factory.mktemp("kube-apiserver")) as target:
        yield target


def test_each_case_has_a_name_of_its_own() -> None:
    names = [case.id for case in CASES]
    assert len(names) == len(set(names))


def test_each_difference_is_confessed() -> None:
    critique = CRITIQUE.read_text()
    assert [case.id for case in CASES if case.differs not in critique] == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_hanse_does_as_the_case_says(case: Case, hanse: Target) -> None:
    if not case.differs:
        await play(case, hanse)
        return
    # A difference that is gone must go from the scripts and from the critique too.
    with pytest.raises(Failed):
        await play(case, hanse)


@pytest.mark.kube_apiserver
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_a_real_server_does_as_the_case_says(case: Case, real: Target) -> None:
    if case.needs_controllers and not real.has_controllers:
        pytest.skip("KUBEBUILDER_ASSETS has no kube-controller-manager")
    await play(case, real)
