"""The files in `deploy/` and those for Dagster+ match the schemas of their tools, each other, and the code."""

import inspect
import json
import re
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points, version
from importlib.resources import files
from pathlib import Path
from typing import Any

import celery.app.utils
import jsonschema
import pytest
import yaml
from botocore.configprovider import BOTOCORE_DEFAUT_SESSION_VARIABLES
from celery.bin.worker import worker as celery_worker
from dagster._config import validate_config
from dagster._core.instance.config import dagster_instance_config_schema
from dagster_cloud_cli.config.models import DagsterCloudYaml
from dagster_dg_core.context import DgContext

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"
IMAGE = f"autosr:{version('autosr')}"


def _load_yaml(*path: str) -> Any:
    return yaml.safe_load(ROOT.joinpath(*path).read_text())


COMPOSE = _load_yaml("deploy", "compose", "compose.yaml")
INSTANCE = _load_yaml("deploy", "dagster.yaml")
VALUES = _load_yaml("deploy", "k8s", "values.yaml")
OUR_SERVICES = {name: service for name, service in COMPOSE["services"].items() if service["image"] == IMAGE}


def _variables(path: Path) -> set[str]:
    """Return the names of the variables in an environment file."""
    return {line.partition("=")[0] for line in path.read_text().splitlines() if "=" in line and line[0] != "#"}


def _is_read(variable: str) -> bool:
    """Return whether our code or the library that uses the variable reads it."""
    if variable.startswith("CELERY_"):
        return f"'{variable}'" in inspect.getsource(celery.app.utils)
    if variable.startswith("AWS_"):
        session_variables = json.dumps(list(BOTOCORE_DEFAUT_SESSION_VARIABLES.values()), default=str)
        return variable in session_variables or variable in _BOTOCORE
    name = re.compile(rf"\b{variable}\b")
    sources = [*ROOT.glob("autosr_*/**/*.py"), DEPLOY / "dagster.yaml"]
    return variable == "DAGSTER_DISABLE_TELEMETRY" or any(name.search(path.read_text()) for path in sources)


_BOTOCORE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"}
"""Variables that botocore reads outside its session variables; the tests of the cluster use them."""


def test_the_compose_file_matches_the_schema_of_compose() -> None:
    schemas = files("check_jsonschema.builtin_schemas").joinpath("vendor", "compose-spec.json")

    jsonschema.validate(COMPOSE, json.loads(schemas.read_text(encoding="utf-8")))


def test_docker_compose_accepts_the_compose_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:  # noqa: S603
        pytest.skip("docker compose is not installed; only the schema was checked")
    variables = tmp_path / "env"
    variables.write_text("POSTGRES_PASSWORD=a\nS3_PASSWORD=b\n")

    done = subprocess.run(  # noqa: S603
        [docker, "compose", "--env-file", variables, "-f", DEPLOY / "compose" / "compose.yaml", "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_the_example_has_every_variable_of_the_compose_file_and_every_variable_that_the_file_sets_is_read() -> None:
    text = (DEPLOY / "compose" / "compose.yaml").read_text()
    required = set(re.findall(r"\$\{(\w+)", text))

    assert required == _variables(DEPLOY / "compose" / ".env.example")
    assert [name for service in OUR_SERVICES.values() for name in service["environment"] if not _is_read(name)] == []


def test_every_variable_of_the_kubernetes_secret_is_read() -> None:
    assert [name for name in _variables(DEPLOY / "k8s" / "secret.env.example") if not _is_read(name)] == []


def test_an_unread_variable_is_detected() -> None:
    assert not any(map(_is_read, ("AUTOSR_UNREAD", "CELERY_UNREAD", "AWS_UNREAD")))


def test_every_image_is_built_by_the_dockerfile_or_has_a_version() -> None:
    images = {name: service["image"] for name, service in COMPOSE["services"].items()}
    values_image = VALUES["dagster-user-deployments"]["deployments"][0]["image"]

    assert set(OUR_SERVICES) == {"code", "webserver", "daemon", "worker", "bucket"}
    assert COMPOSE["services"]["code"]["build"] == {"context": "../..", "dockerfile": "Dockerfile"}
    assert all(re.search(r":.*\d", image) for image in images.values())
    assert values_image["tag"] == version("autosr")


def test_ports_match_those_of_the_commands() -> None:
    services = COMPOSE["services"]
    workspace = yaml.safe_load(COMPOSE["configs"]["workspace"]["content"])["load_from"][0]["grpc_server"]
    code, web = (_option(services[name]["command"], "-p") for name in ("code", "webserver"))
    exposed = re.findall(r"^EXPOSE (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0].split()

    assert (workspace["host"], str(workspace["port"])) == ("code", code)
    assert services["webserver"]["ports"] == [f"127.0.0.1:{web}:{web}"]
    assert exposed == [web, code]
    assert str(VALUES["dagster-user-deployments"]["deployments"][0]["port"]) == code
    environment = OUR_SERVICES["worker"]["environment"]
    assert environment["AWS_ENDPOINT_URL"].endswith(_option(services["store"]["command"], "--address"))


def test_every_command_is_installed_and_uses_valid_options() -> None:
    installed = {script.name for script in entry_points(group="console_scripts")}
    commands = [service["command"] for name, service in OUR_SERVICES.items() if name != "bucket"]
    dockerfile = json.loads(re.findall(r"^CMD (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0])
    worker_options = {word for word in OUR_SERVICES["worker"]["command"] if re.match("--?[a-zA-Z]", word)}
    celery_options = {option for parameter in celery_worker.params for option in parameter.opts}

    assert {command[0] for command in commands} <= installed
    assert OUR_SERVICES["code"]["command"] == dockerfile
    assert "autosr_assets.definitions" in dockerfile
    assert worker_options - {"-A"} <= celery_options
    assert VALUES["dagster-user-deployments"]["deployments"][0]["dagsterApiGrpcArgs"][-1] == dockerfile[-1]


def test_the_dockerfile_copies_existing_paths_and_installs_existing_extras() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    project = (ROOT / "pyproject.toml").read_text()

    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert all(re.search(rf"^{extra} = ", project, re.MULTILINE) for extra in ("distributed", "k8s"))
    assert "[distributed,k8s]" in text


def test_both_instance_configurations_are_valid_and_the_run_limits_match_the_number_of_workers() -> None:
    chart_config = VALUES["additionalInstanceConfig"]
    for config in (INSTANCE, chart_config):
        assert validate_config(dagster_instance_config_schema(), config).success

    workers = COMPOSE["services"]["worker"]["deploy"]["replicas"]
    limits = INSTANCE["concurrency"]
    assert (limits["runs"]["max_concurrent_runs"], limits["pools"]["default_limit"]) == (workers, workers)
    assert chart_config["run_retries"] == INSTANCE["run_retries"]


def test_every_class_of_the_instance_exists_and_accepts_its_configuration() -> None:
    for part in ("run_launcher", "run_coordinator", "compute_logs"):
        entry = INSTANCE[part]
        instance_class = getattr(import_module(entry["module"]), entry["class"])
        assert validate_config(instance_class.config_type(), entry.get("config", {})).success


def test_dagster_k8s_accepts_the_run_launcher_of_the_values() -> None:
    launcher = pytest.importorskip("dagster_k8s", reason="the extra k8s is not installed").K8sRunLauncher
    values = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
    config = {
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "dagster_home": "/opt/dagster/dagster_home",
        "env_secrets": [secret["name"] for secret in values["envSecrets"]],
        "run_k8s_config": {
            "container_config": values["runK8sConfig"]["containerConfig"],
            "job_spec_config": values["runK8sConfig"]["jobSpecConfig"],
        },
    }

    assert VALUES["runLauncher"]["type"] == launcher.__name__
    assert validate_config(launcher.config_type(), config).success


def test_the_files_for_dagster_plus_name_the_same_location_module_and_registry() -> None:
    cloud = DagsterCloudYaml.model_validate(_load_yaml("dagster_cloud.yaml")).locations[0]
    context = DgContext.for_project_environment(ROOT, {})
    build = context.build_config

    assert build is not None
    assert (cloud.location_name, cloud.code_source and cloud.code_source.module_name) == (
        context.code_location_name,
        context.code_location_target_module_name,
    )
    assert cloud.build is not None
    assert (cloud.build.registry, ROOT / (cloud.build.directory or "")) == (
        build["registry"],
        Path(str(build["directory"])),
    )


def _option(command: list[str], name: str) -> str:
    return command[command.index(name) + 1]


def test_the_tests_run_on_the_python_version_of_the_image_or_a_newer_one() -> None:
    version_parts = re.findall(r"^FROM python:(\d+)\.(\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]

    assert sys.version_info >= tuple(map(int, version_parts))
