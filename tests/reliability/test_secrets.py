"""Runs with a marked API key, over an endpoint that repeats it in its errors, leave the key in no output, file or record."""

import json
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow.parquet as pq
import pytest

from tests.assets.model_home import KEY, PROJECT, SMALL_OF_GRAPH, ModelHome
from tests.llm.server import Fault, ModelServer, Status, chance, role_of
from tests.reliability.processes import result_of, start_autosr

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ENTRY = """label description __typename
    ... on TextMetadataEntry { text } ... on MarkdownMetadataEntry { mdStr } ... on JsonMetadataEntry { jsonString }
    ... on PathMetadataEntry { path } ... on UrlMetadataEntry { url } ... on TableMetadataEntry { table { records } }"""
QUERIES = {
    "runs": f"""{{ runsOrError {{ ... on Runs {{ results {{ runId runConfigYaml runConfig tags {{ key value }}
        eventConnection(limit: 1000) {{ events {{ __typename
            ... on MessageEvent {{ message eventType level }}
            ... on ExecutionStepFailureEvent {{ error {{ message stack causes {{ message stack }} }} }}
            ... on EngineEvent {{ error {{ message stack }} }}
            ... on RunFailureEvent {{ error {{ message stack }} }}
            ... on ExecutionStepOutputEvent {{ metadataEntries {{ {ENTRY} }} }}
            ... on HandledOutputEvent {{ metadataEntries {{ {ENTRY} }} }}
            ... on MaterializationEvent {{ tags {{ key value }} metadataEntries {{ {ENTRY} }} }}
            ... on AssetCheckEvaluationEvent {{ evaluation {{ description metadataEntries {{ {ENTRY} }} }} }}
        }} }} }} }} }} }}""",
    "assets": f"""{{ assetsOrError {{ ... on AssetConnection {{ nodes {{ key {{ path }}
        definition {{ description metadataEntries {{ {ENTRY} }} configField {{ configType {{ key }} }} }}
        assetMaterializations {{ partition tags {{ key value }} metadataEntries {{ {ENTRY} }} }} }} }} }} }}""",
    "resources": """query Resources($repository: RepositorySelector!) {
        allTopLevelResourceDetailsOrError(repositorySelector: $repository) { ... on ResourceDetailsList { results {
            name description configFields { name description defaultValueAsJson } configuredValues { key value type } } } }
        utilizedEnvVarsOrError(repositorySelector: $repository) { ... on EnvVarWithConsumersList { results {
            envVarName envVarConsumers { name } } } } }""",
    "instance": """{ instance { info runQueueConfig { tagConcurrencyLimitsYaml } daemonHealth { id
        allDaemonStatuses { daemonType lastHeartbeatErrors { message } } } }
        workspaceOrError { ... on Workspace { locationEntries { name displayMetadata { key value }
            locationOrLoadError { ... on PythonError { message stack } } } } } }""",
}


@dataclass(frozen=True)
class Runs:
    """A home in which commands ran over a failing endpoint."""

    home: ModelHome
    output: str
    """Everything that the commands printed."""


def error_with_key(number: int, body: dict[str, Any]) -> Fault | None:
    """Return an error that contains the key, for a fifth of the requests after the preflight check."""
    has_error = role_of(body) != "preflight" and chance("fault", str(number)) < 0.2
    return Status(500, error=f"upstream said: Authorization: Bearer {KEY}") if has_error else None


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    with ModelServer(faults=error_with_key) as server:
        home = ModelHome(tmp_path_factory.mktemp("home"), server.base_url)
        commands = (
            ("search", "--search", "evolutionary", *SMALL_OF_GRAPH, "--verbose", "--llm-max-retries", "12"),
            # Without retries, errors reach rows, logs and the exit code.
            ("search", "--search", "iterative", *SMALL_OF_GRAPH, "--verbose", "--debug", "--llm-max-retries",
             "0", "--no-llm-fail-soft", "--seed", "8"),
            ("show", "moon-shape"),
            ("report", "evolutionary"),
            ("runs", "show"),
            ("checks",),
        )  # fmt: skip
        results = [result_of(start_autosr(home, *command)) for command in commands]
    with ModelServer(faults=lambda number, body: Status(401, f"Incorrect API key: {KEY}")) as server:
        refused = ModelHome(home.root, server.base_url)
        results.append(result_of(start_autosr(refused, "search", "--search", "iterative", "--seed", "9", "--debug")))
    assert (results[0].code, results[1].code, results[-1].code) == (0, 3, 2), results
    return Runs(home, "".join(result.out + result.err for result in results))


def test_the_key_is_not_in_the_output_of_commands(runs: Runs) -> None:
    assert "Traceback" in runs.output, "--debug shows the traceback"
    assert_no_key(runs.output)


def test_the_key_is_in_no_file_table_record_report_or_log(runs: Runs) -> None:
    text_by_suffix: dict[str, str] = {}
    for path in sorted(runs.home.root.rglob("*")):
        if path.is_file():
            text = read_text(path)
            text_by_suffix[path.suffix] = text_by_suffix.get(path.suffix, "") + text
            assert_no_key(text, str(path))

    # Checks that files were decoded: each kind contains an expected text.
    for suffix, expected in {
        ".parquet": "covers point",
        ".sqlite": "covers point",
        ".db": "evolutionary",
        ".json": "covers point",
        ".html": "covers point",
        ".sh": "autosr",
        ".err": "STEP_START",
    }.items():
        assert expected in text_by_suffix[suffix], suffix


def test_the_key_is_in_no_graphql_response(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_graphql.cli import execute_query

    for name, value in runs.home.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(runs.home.root / "dagster"))
    monkeypatch.setenv("PATH", f"{PROJECT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    repository = {"repositoryLocationName": "autosr", "repositoryName": "__repository__"}

    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget([str(PROJECT / "workspace.yaml")])) as workspace,
    ):
        responses = {
            name: execute_query(workspace, query, {"repository": repository} if "$repository" in query else None)
            for name, query in QUERIES.items()
        }

    for name, response in responses.items():
        assert "errors" not in response, f"{name}: {response.get('errors')}"
        assert_no_key(json.dumps(response, ensure_ascii=False), name)
    assert "covers point" in json.dumps(responses["runs"])
    assert "covers point" in json.dumps(responses["assets"])
    assert "backends" in json.dumps(responses["resources"])


def assert_no_key(text: str, source: str = "") -> None:
    """Check that a text contains neither the key nor most of it."""
    assert KEY not in text, source
    assert KEY[10:] not in text, source


def read_text(path: Path) -> str:
    """Return the content of a file as text: its raw bytes, and the decoded values of Parquet, SQLite and JSON."""
    raw = path.read_bytes()
    parts = [raw.decode("utf-8", "replace")]
    if path.suffix == ".parquet":
        table = pq.ParquetFile(path).read()
        parts += [str(table.schema.metadata), str(table.to_pylist())]
    elif raw.startswith(b"SQLite format 3"):
        parts += _cells(path)
    elif path.suffix == ".json":
        parts.append(str(json.loads(raw)))
    return "\n".join(parts)


def _cells(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in db.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 - names from the file itself
                yield from map(_cell, row)


def _cell(value: Any) -> str:
    if not isinstance(value, bytes):
        return str(value)
    try:  # Dagster compresses snapshots of jobs
        return zlib.decompress(value).decode("utf-8", "replace")
    except zlib.error:
        return value.decode("utf-8", "replace")
