"""What `deploy/` and the files of Dagster+ say, held against their tools' schemas and against the code."""

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


def _yaml(*path: str) -> Any:
    return yaml.safe_load(ROOT.joinpath(*path).read_text())


COMPOSE = _yaml("deploy", "compose", "compose.yaml")
INSTANCE = _yaml("deploy", "dagster.yaml")
VALUES = _yaml("deploy", "k8s", "values.yaml")
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == IMAGE}


def _names(path: Path) -> set[str]:
    """Return the variables of a file of them."""
    return {line.partition("=")[0] for line in path.read_text().splitlines() if "=" in line and line[0] != "#"}


def _is_read(variable: str) -> bool:
    """Return whether the code, or the library that a variable is for, reads it."""
    if variable.startswith("CELERY_"):
        return f"'{variable}'" in inspect.getsource(celery.app.utils)
    if variable.startswith("AWS_"):
        known = json.dumps(list(BOTOCORE_DEFAUT_SESSION_VARIABLES.values()), default=str)
        return variable in known or variable in _BOTOCORE
    said = re.compile(rf"\b{variable}\b")
    sources = [*ROOT.glob("autosr_*/**/*.py"), DEPLOY / "dagster.yaml"]
    return variable == "DAGSTER_DISABLE_TELEMETRY" or any(said.search(path.read_text()) for path in sources)


_BOTOCORE = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"}
"""Read by botocore's credentials and endpoint resolution, not as session variables; the cluster's test uses them."""


def test_the_compose_file_is_one_by_the_schema_of_compose() -> None:
    schemas = files("check_jsonschema.builtin_schemas").joinpath("vendor", "compose-spec.json")

    jsonschema.validate(COMPOSE, json.loads(schemas.read_text(encoding="utf-8")))


def test_docker_compose_takes_the_compose_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:  # noqa: S603
        pytest.skip("docker compose is not installed; the schema of compose has been asked")
    variables = tmp_path / "env"
    variables.write_text("POSTGRES_PASSWORD=a\nS3_PASSWORD=b\n")

    done = subprocess.run(  # noqa: S603
        [docker, "compose", "--env-file", variables, "-f", DEPLOY / "compose" / "compose.yaml", "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_every_variable_of_compose_is_in_the_example_and_every_one_it_sets_is_read() -> None:
    text = (DEPLOY / "compose" / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+)", text))

    assert asked == _names(DEPLOY / "compose" / ".env.example")
    assert [name for service in OURS.values() for name in service["environment"] if not _is_read(name)] == []


def test_every_variable_of_the_kubernetes_secret_is_read() -> None:
    assert [name for name in _names(DEPLOY / "k8s" / "secret.env.example") if not _is_read(name)] == []


def test_a_variable_that_nobody_reads_would_be_found() -> None:
    assert not any(map(_is_read, ("AUTOSR_NOBODY", "CELERY_NOBODY", "AWS_NOBODY")))


def test_every_image_is_that_of_the_dockerfile_or_has_a_version() -> None:
    images = {name: service["image"] for name, service in COMPOSE["services"].items()}
    of_values = VALUES["dagster-user-deployments"]["deployments"][0]["image"]

    assert set(OURS) == {"code", "webserver", "daemon", "worker", "bucket"}
    assert COMPOSE["services"]["code"]["build"] == {"context": "../..", "dockerfile": "Dockerfile"}
    assert all(re.search(r":.*\d", image) for image in images.values())
    assert of_values["tag"] == version("autosr")


def test_every_port_is_the_one_that_is_listened_on() -> None:
    services = COMPOSE["services"]
    workspace = yaml.safe_load(COMPOSE["configs"]["workspace"]["content"])["load_from"][0]["grpc_server"]
    code, web = (_option(services[name]["command"], "-p") for name in ("code", "webserver"))
    exposed = re.findall(r"^EXPOSE (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0].split()

    assert (workspace["host"], str(workspace["port"])) == ("code", code)
    assert services["webserver"]["ports"] == [f"127.0.0.1:{web}:{web}"]
    assert exposed == [web, code]
    assert str(VALUES["dagster-user-deployments"]["deployments"][0]["port"]) == code
    environment = OURS["worker"]["environment"]
    assert environment["AWS_ENDPOINT_URL"].endswith(_option(services["store"]["command"], "--address"))


def test_every_command_is_installed_and_loads_the_project() -> None:
    installed = {script.name for script in entry_points(group="console_scripts")}
    commands = [service["command"] for name, service in OURS.items() if name != "bucket"]
    dockerfile = json.loads(re.findall(r"^CMD (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0])
    known = {option for parameter in celery_worker.params for option in parameter.opts}

    assert {command[0] for command in commands} <= installed
    assert OURS["code"]["command"] == dockerfile
    assert "autosr_assets.definitions" in dockerfile
    assert {word for word in OURS["worker"]["command"] if re.match("--?[a-zA-Z]", word)} - {"-A"} <= known
    assert VALUES["dagster-user-deployments"]["deployments"][0]["dagsterApiGrpcArgs"][-1] == dockerfile[-1]


def test_the_dockerfile_copies_what_is_there_and_installs_extras_that_exist() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (.*)$", text, re.MULTILINE) for word in line.split()[:-1]]
    project = (ROOT / "pyproject.toml").read_text()

    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert all(re.search(rf"^{extra} = ", project, re.MULTILINE) for extra in ("distributed", "k8s"))
    assert "[distributed,k8s]" in text


def test_dagster_takes_the_instance_of_both_and_a_queue_holds_no_more_than_there_are_workers() -> None:
    of_chart = VALUES["additionalInstanceConfig"]
    for config in (INSTANCE, of_chart):
        assert validate_config(dagster_instance_config_schema(), config).success

    workers = COMPOSE["services"]["worker"]["deploy"]["replicas"]
    limits = INSTANCE["concurrency"]
    assert (limits["runs"]["max_concurrent_runs"], limits["pools"]["default_limit"]) == (workers, workers)
    assert of_chart["run_retries"] == INSTANCE["run_retries"]


def test_every_class_of_the_instance_exists_and_takes_its_config() -> None:
    for part in ("run_launcher", "run_coordinator", "compute_logs"):
        known = INSTANCE[part]
        kind = getattr(import_module(known["module"]), known["class"])
        assert validate_config(kind.config_type(), known.get("config", {})).success


def test_dagster_k8s_takes_the_launcher_of_the_values() -> None:
    launcher = pytest.importorskip("dagster_k8s", reason="the extra k8s is not installed").K8sRunLauncher
    known = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
    config = {
        "service_account_name": "dagster",
        "instance_config_map": "dagster-instance",
        "dagster_home": "/opt/dagster/dagster_home",
        "env_secrets": [secret["name"] for secret in known["envSecrets"]],
        "run_k8s_config": {
            "container_config": known["runK8sConfig"]["containerConfig"],
            "job_spec_config": known["runK8sConfig"]["jobSpecConfig"],
        },
    }

    assert VALUES["runLauncher"]["type"] == launcher.__name__
    assert validate_config(launcher.config_type(), config).success


def test_dagster_plus_reads_where_the_image_goes_and_what_to_load() -> None:
    cloud = DagsterCloudYaml.model_validate(_yaml("dagster_cloud.yaml")).locations[0]
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


def test_the_tests_run_on_the_python_of_the_image() -> None:
    told = re.findall(r"^FROM python:(\d+)\.(\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]

    assert sys.version_info >= tuple(map(int, told))
