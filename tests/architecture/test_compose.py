"""compose.yaml is held against the code: services, commands, settings, ports, secrets, volumes.

No engine is needed. What is asked of a service is asked of its own `Settings` and argument parser.
"""

import dataclasses
import importlib
import importlib.util
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, get_type_hints

import pytest
import yaml

from hanse.__main__ import build_parser
from hanse.local.federation import SERVICES, places
from hanse.membership.join import Place
from hanse.setup import Settings as SetupSettings
from hanse.setup import Volumes
from shared.runtime.environment import PREFIX, read_settings
from shared.runtime.nats_server import NatsServer

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
FOLDER = SetupSettings().folder
VOLUMES = Volumes(FOLDER)

MEMBERS = {name: one for name, one in CONTAINERS.items() if name.startswith("member-")}
JOINS = {name: one for name, one in CONTAINERS.items() if name.startswith("join-")}
STEPS = {"setup": CONTAINERS["setup"], **JOINS}
LASTING = {name: one for name, one in CONTAINERS.items() if name not in STEPS}
CONFIGURED = {name: one for name, one in CONTAINERS.items() if "environment" in one}

every_container = pytest.mark.parametrize("name", CONTAINERS)


def command_of(container: Mapping[str, Any]) -> list[str]:
    command = container["command"]
    return shlex.split(command) if isinstance(command, str) else list(command)


def module_of(container: Mapping[str, Any]) -> str | None:
    """The module a container runs, None for another program."""
    match command_of(container):
        case ["python", "-m", module, *_]:
            return str(module)
    return None


def settings_of(container: Mapping[str, Any]) -> type[Any]:
    module = module_of(container)
    assert module is not None
    home = module if module.startswith("hanse.") else f"{module}.settings"
    settings: type[Any] = importlib.import_module(home).Settings
    return settings


def variables_of(settings: type[Any], prefix: str = PREFIX) -> Iterator[str]:
    """Every variable that `read_settings` would look for."""
    hints = get_type_hints(settings)
    for field in dataclasses.fields(settings):
        kind = hints[field.name]
        variable = prefix + field.name.upper()
        if dataclasses.is_dataclass(kind):
            assert isinstance(kind, type)
            yield from variables_of(kind, f"{variable}_")
        else:
            yield variable


def mounts_of(container: Mapping[str, Any]) -> dict[PurePosixPath, tuple[str, bool]]:
    """Where each volume lies in the container, its name, and whether it can be written to."""
    found = {}
    for text in container.get("volumes", []):
        volume, target, *mode = text.split(":")
        found[PurePosixPath(target)] = (volume, mode != ["ro"])
    return found


def test_every_service_is_there() -> None:
    folders = {path.parent.name for path in (ROOT / "services").glob("*/__main__.py")}
    assert {"nats", *SERVICES} <= set(CONTAINERS)
    assert {"simulator"} == folders - set(CONTAINERS), "simulated members go by their names"
    for service in SERVICES:
        assert module_of(CONTAINERS[service]) == f"services.{service}"
    assert all(module_of(member) == "services.simulator" for member in MEMBERS.values())


def test_the_members_are_those_of_the_local_federation_and_every_one_is_joined() -> None:
    expected = places(3)
    running = []
    for name, member in MEMBERS.items():
        settings = read_settings(settings_of(member), member["environment"])
        running.append(Place(settings.name, settings.region, settings.zone, settings.provider))
        # The certificate and the kubeconfig name the host by which others reach it.
        assert settings.advertised_host == name == f"member-{settings.name}"
    assert running == expected

    joined = []
    for name, step in JOINS.items():
        program, *arguments = command_of(step)
        assert program == "hanse"
        options = build_parser().parse_args(arguments)
        joined.append(Place(options.name, options.region, options.zone, options.provider))
        assert name == f"join-{options.name}"
        assert mounts_of(step)[PurePosixPath(VOLUMES.member)] == (f"member-{options.name}", False)
        assert options.member_kubeconfig == VOLUMES.member / "kubeconfig"
        assert options.kubeconfig == VOLUMES.network_kubeconfig
        for needed in ("gateway", "registry", f"member-{options.name}"):
            assert step["depends_on"][needed] == {"condition": "service_healthy"}
    assert joined == expected


@every_container
def test_a_command_is_something_the_image_has(name: str) -> None:
    container = CONTAINERS[name]
    module = module_of(container)
    if module is None:
        assert command_of(container)[0] in {"hanse", "nats-server"}
        return
    found = importlib.util.find_spec(module)
    assert found is not None
    if found.submodule_search_locations is not None:
        assert importlib.util.find_spec(f"{module}.__main__") is not None
    copied = re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE)
    assert module.split(".")[0] in copied


@pytest.mark.parametrize("name", CONFIGURED)
def test_every_variable_is_a_setting_and_its_value_is_read(name: str) -> None:
    container = CONTAINERS[name]
    settings = settings_of(container)
    known = set(variables_of(settings))
    unknown = set(container["environment"]) - known
    assert not unknown, f"{settings.__module__} has no such setting"
    read_settings(settings, container["environment"])


@pytest.mark.parametrize("name", CONFIGURED)
def test_every_file_that_is_set_lies_in_a_volume(name: str) -> None:
    container = CONTAINERS[name]
    mounted = mounts_of(container)
    paths = [
        PurePosixPath(value)
        for value in container["environment"].values()
        if str(value).startswith("/")
    ]
    for path in paths:
        assert {path, *path.parents} & set(mounted), f"{path} is in no volume"


def test_the_services_read_what_the_setup_writes() -> None:
    for service in SERVICES:
        settings = read_settings(
            settings_of(CONTAINERS[service]), CONTAINERS[service]["environment"]
        )
        assert settings.nats.credentials_file == VOLUMES.nats_credentials
        assert settings.nats.url == f"nats://nats:{SetupSettings().nats_port}"
        if hasattr(settings, "envelope_key_file"):
            assert settings.envelope_key_file == VOLUMES.envelope_key
    gateway = read_settings(
        settings_of(CONTAINERS["gateway"]), CONTAINERS["gateway"]["environment"]
    )
    setup = read_settings(SetupSettings, CONTAINERS["setup"]["environment"])
    assert (gateway.tls_folder, gateway.tokens_file) == (VOLUMES.tls, VOLUMES.tokens)
    assert gateway.tls_hosts == setup.gateway_hosts
    assert setup.network_gateway_url == f"https://gateway:{gateway.port}"
    server = NatsServer(VOLUMES.nats)
    assert command_of(CONTAINERS["nats"]) == ["nats-server", "-c", str(server.config_file)]


def test_only_the_gateway_is_published_and_only_on_loopback() -> None:
    published = {name: one["ports"] for name, one in CONTAINERS.items() if "ports" in one}
    assert published == {"gateway": ["127.0.0.1:8443:8443"]}
    setup = read_settings(SetupSettings, CONTAINERS["setup"]["environment"])
    assert setup.gateway_url == "https://127.0.0.1:8443"
    assert not [name for name, one in CONTAINERS.items() if one.get("network_mode") == "host"]


@pytest.mark.parametrize("name", LASTING)
def test_what_lasts_is_restarted_and_asked_whether_it_is_ready(name: str) -> None:
    container = CONTAINERS[name]
    assert container["restart"] == "unless-stopped"
    check = container["healthcheck"]
    assert {"interval", "timeout", "retries", "start_period"} <= set(check)
    match check["test"]:
        case ["CMD", "python", "-m", "hanse.probe", url, *options]:
            assert url == expected_probe(name)
        case other:
            pytest.fail(f"not a probe: {other}")
    if url.startswith("https"):
        authority = settings_folder(name) / "tls" / "ca.crt"
        assert options == ["--authority", str(authority)]


def settings_folder(name: str) -> Path:
    member = CONTAINERS[name]
    folder: Path = read_settings(settings_of(member), member["environment"]).folder
    return folder


def expected_probe(name: str) -> str:
    """Where the process answers, by its own settings."""
    if name == "nats":
        return f"nats://127.0.0.1:{SetupSettings().nats_port}"
    container = CONTAINERS[name]
    settings = read_settings(settings_of(container), container["environment"])
    if name in MEMBERS:
        return f"https://127.0.0.1:{settings.port}/readyz"
    assert settings.probes.host == "127.0.0.1"
    return f"http://127.0.0.1:{settings.probes.port}/readyz"


@pytest.mark.parametrize("name", STEPS)
def test_a_step_ends_and_is_tried_again_a_few_times(name: str) -> None:
    assert re.fullmatch(r"on-failure:\d", CONTAINERS[name]["restart"])
    assert "healthcheck" not in CONTAINERS[name]


def test_the_start_follows_readiness() -> None:
    done = {"condition": "service_completed_successfully"}
    assert CONTAINERS["nats"]["depends_on"] == {"setup": done}
    for service in SERVICES:
        needed = CONTAINERS[service]["depends_on"]
        assert needed == {"setup": done, "nats": {"condition": "service_healthy"}}


def test_one_image_from_the_one_dockerfile() -> None:
    assert {one["image"] for one in CONTAINERS.values()} == {"hanse"}
    built = {name: one["build"] for name, one in CONTAINERS.items() if "build" in one}
    assert built == {"setup": "."}
    pulled = {one["pull_policy"] for name, one in CONTAINERS.items() if name not in built}
    assert pulled == {"never"}
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) == {
        "python:3.11-slim-bookworm"
    }


def test_the_image_is_made_of_locked_packages_and_runs_as_nobody_special() -> None:
    commands = DOCKERFILE.replace("\\\n", " ")
    for line in re.findall(r"pip\b[^&\n]*\binstall\b[^&\n]*", commands):
        assert "--require-hashes" in line or "--no-index" in line, line
    assert re.search(r"^USER (?!0\b|root\b)\d+$", DOCKERFILE, re.MULTILINE)
    assert DOCKERFILE.rindex("USER ") > DOCKERFILE.rindex("RUN ")
    assert not re.search(r"^(ARG|ENV) .*(TOKEN|PASSWORD|SECRET|KEY)", DOCKERFILE, re.MULTILINE)


def test_only_what_the_image_is_made_of_is_sent_to_the_engine() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    sent = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    }
    assert sent == copied
    assert all((ROOT / path).exists() for path in sent)


@every_container
def test_no_secret_is_written_down(name: str) -> None:
    for variable, value in CONTAINERS[name].get("environment", {}).items():
        if re.search(r"TOKEN|PASSWORD|SECRET|KEY|CREDENTIAL", variable):
            assert variable.endswith("_FILE"), f"{variable} belongs in a file"
            assert str(value).startswith(f"{FOLDER}/")
        assert "@" not in str(value), "an address may carry a password"


@every_container
def test_a_container_may_do_little(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "user", "pid", "devices", "env_file"} & set(container)
    assert {"max-size", "max-file"} == set(container["logging"]["options"])


def test_volumes_are_declared_and_are_folders_of_the_image() -> None:
    used = {volume for one in CONTAINERS.values() for volume, _ in mounts_of(one).values()}
    assert used == set(COMPOSE["volumes"])
    made = re.search(r"for volume in ([\w ]+);", DOCKERFILE)
    assert made is not None
    folders = {PurePosixPath(FOLDER) / name for name in made[1].split()}
    # A volume over a folder that the image does not have would belong to root.
    assert {target for one in CONTAINERS.values() for target in mounts_of(one)} == folders


def test_a_secret_is_mounted_by_its_readers_only() -> None:
    readers: dict[str, set[str]] = {}
    writers: dict[str, set[str]] = {}
    for name, container in CONTAINERS.items():
        for volume, writable in mounts_of(container).values():
            (writers if writable else readers).setdefault(volume, set()).add(name)
    sealing = {name for name in SERVICES if "envelope_key_file" in _fields(CONTAINERS[name])}
    assert sealing == {"gateway", "registry", "propagator", "health"}
    assert readers["envelope"] == sealing
    assert readers["bus"] == set(SERVICES)
    assert readers["access"] == {"gateway", *JOINS}
    assert writers["nats"] == {"setup", "nats"}
    assert writers["gateway"] == {"setup", "gateway"}
    for volume in ("bus", "envelope", "access"):
        assert writers[volume] == {"setup"}
    for member in MEMBERS:
        assert writers[member] == {member}


def _fields(container: Mapping[str, Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(settings_of(container))}


def test_simulated_members_do_not_reach_nats() -> None:
    for name in (*MEMBERS, *JOINS):
        assert CONTAINERS[name]["networks"] == ["members"]
    assert CONTAINERS["nats"]["networks"] == ["hub"]
    assert CONTAINERS["setup"]["network_mode"] == "none"
    assert {"hub", "members"} == set(COMPOSE["networks"])
