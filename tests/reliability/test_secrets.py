"""A run with a marked key, over an endpoint that repeats it in its errors, and then a search of all there is for it."""

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

from tests.assets.model_home import KEY, PROJECT, SHORT, ModelHome
from tests.llm.server import Fault, ModelServer, Status, chance, role_of
from tests.reliability.processes import opened, said_by

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
    "resources": """query Of($repository: RepositorySelector!) {
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
class Left:
    """A home in which a search ended, one failed and a run was shown, and all that commands said."""

    home: ModelHome
    said: str


def repeating_the_key(number: int, body: dict[str, Any]) -> Fault | None:
    """Return an error that holds the key, for a fifth of the requests that ask anything."""
    is_ill = role_of(body) != "preflight" and chance("fault", str(number)) < 0.2
    return Status(500, error=f"upstream said: Authorization: Bearer {KEY}") if is_ill else None


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    with ModelServer(faults=repeating_the_key) as server:
        home = ModelHome(tmp_path_factory.mktemp("home"), server.base_url)
        commands = (
            ("search", "--search", "evolutionary", *SHORT, "--verbose", "--llm-max-retries", "12"),
            # No retries: what could not be answered is told in rows, in logs and by the exit code.
            ("search", "--search", "iterative", *SHORT, "--verbose", "--debug", "--llm-max-retries",
             "0", "--no-llm-fail-soft", "--seed", "8"),
            ("show", "moon-shape"),
            ("report", "evolutionary"),
            ("runs", "show"),
            ("checks",),
        )  # fmt: skip
        said = [said_by(opened(home, *command)) for command in commands]
    with ModelServer(faults=lambda number, body: Status(401, f"Incorrect API key: {KEY}")) as server:
        refused = ModelHome(home.root, server.base_url)
        said.append(said_by(opened(refused, "search", "--search", "iterative", "--seed", "9", "--debug")))
    assert (said[0].code, said[1].code, said[-1].code) == (0, 3, 2), said
    return Left(home, "".join(one.out + one.err for one in said))


def test_the_key_is_in_nothing_that_commands_say(left: Left) -> None:
    assert "Traceback" in left.said, "--debug shows where it failed"
    assert_no_key(left.said)


def test_the_key_is_in_no_file_table_record_report_or_log(left: Left) -> None:
    kinds: dict[str, str] = {}
    for path in sorted(left.home.root.rglob("*")):
        if path.is_file():
            kinds[path.suffix] = kinds.get(path.suffix, "") + (content := read(path))
            assert_no_key(content, str(path))

    # That the reading reads: what is no secret is found in each of them.
    for suffix, known in {
        ".parquet": "covers point",
        ".sqlite": "covers point",
        ".db": "evolutionary",
        ".json": "covers point",
        ".html": "covers point",
        ".sh": "autosr",
        ".err": "STEP_START",
    }.items():
        assert known in kinds[suffix], suffix


def test_the_key_is_in_no_answer_of_graphql(left: Left, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster._core.workspace.context import WorkspaceProcessContext
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_graphql.cli import execute_query

    for name, value in left.home.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DAGSTER_HOME", str(left.home.root / "dagster"))
    monkeypatch.setenv("PATH", f"{PROJECT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}")
    repository = {"repositoryLocationName": "autosr", "repositoryName": "__repository__"}

    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget([str(PROJECT / "workspace.yaml")])) as workspace,
    ):
        answers = {
            name: execute_query(workspace, query, {"repository": repository} if "$repository" in query else None)
            for name, query in QUERIES.items()
        }

    for name, answer in answers.items():
        assert "errors" not in answer, f"{name}: {answer.get('errors')}"
        assert_no_key(json.dumps(answer, ensure_ascii=False), name)
    assert "covers point" in json.dumps(answers["runs"])
    assert "covers point" in json.dumps(answers["assets"])
    assert "backends" in json.dumps(answers["resources"])


def assert_no_key(text: str, where: str = "") -> None:
    """The key is not there, nor what would do to guess it."""
    assert KEY not in text, where
    assert KEY[10:] not in text, where


def read(path: Path) -> str:
    """Return all that a file holds as text, decoded by its kind; and its bytes as they are."""
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
    try:  # Dagster packs snapshots of jobs
        return zlib.decompress(value).decode("utf-8", "replace")
    except zlib.error:
        return value.decode("utf-8", "replace")
