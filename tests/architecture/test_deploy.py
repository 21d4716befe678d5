"""The manifests of deploy/ are held against the code: modules, settings and their values."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.runtime.environment import read_settings
from tests.architecture.test_compose import variables_of

DEPLOY = sorted((Path(__file__).parents[2] / "deploy").glob("*.yaml"))


def containers(file: Path) -> list[dict[str, Any]]:
    found = []
    for manifest in yaml.safe_load_all(file.read_text()):
        if manifest["kind"] == "Deployment":
            found += manifest["spec"]["template"]["spec"]["containers"]
    return found


@pytest.mark.parametrize("file", DEPLOY, ids=lambda file: file.name)
def test_every_variable_is_a_setting_of_the_module_that_runs(file: Path) -> None:
    for container in containers(file):
        module = container["command"][2]
        assert importlib.util.find_spec(f"{module}.__main__") is not None
        settings = importlib.import_module(f"{module}.settings").Settings
        given = {one["name"]: one.get("value", "") for one in container["env"]}
        assert set(given) <= set(variables_of(settings))
        read_settings(settings, given)
