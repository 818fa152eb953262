"""A dataset is searched without Dagster, by the code that the assets call."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autosr_lib.pipeline.dataset_plan import DatasetPlan
from autosr_lib.pipeline.expected_spending import expected_spending
from autosr_lib.pipeline.pending import stored_pending_work
from autosr_lib.pipeline.run_context import RunContext
from autosr_lib.pipeline.search_dataset import search_dataset
from autosr_lib.pipeline.search_plan import SearchPlan
from autosr_lib.search.settings import Scope, Structure
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from autosr_lib.storage.store import TableStore
from tests.assets.commands import Home, dataset_table, fake_backend, planted, write_prompts
from tests.fakes import fake_roles

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPT = EXAMPLES / "search_dataset.py"
SMALL = ("--population-size", "4", "--mutations-per-round", "2", "--generations", "2", "--batch-size", "1")
SETTINGS = {"evolution": {"population_size": 4, "mutations_per_round": 2, "batch_size": 1}}
MODELS = {"backend": {"backend": "llm"}}


def plan_over(path: str, store: TableStore, scope: Scope, settings: dict[str, Any]) -> SearchPlan:
    name = "calls" if scope is Scope.PROMPT_LOCAL else f"calls_{scope}"
    dataset = DatasetPlan("calls", DatasetRunSettings.model_validate({"path": path} | settings.get("dataset", {})))
    structure = Structure(generations=2, scope=scope)
    return SearchPlan.of(dataset, name, structure, SearchRunSettings.model_validate(settings["search"]), store)


def tables(storage: Path) -> dict[str, bytes]:
    """Return the content of every file of the dataset and the search, by its path; the export is not part of them."""
    paths = [path for path in storage.rglob("*.parquet") if path.name != "rubric_export.parquet"]
    return {str(path.relative_to(storage)): path.read_bytes() for path in paths if path.parent != storage / "runs"}


@pytest.mark.parametrize("scope", [Scope.PROMPT_LOCAL, Scope.GLOBAL_BATCH])
def test_the_tables_are_byte_identical_to_those_of_the_graph(
    scope: Scope, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, home = write_prompts(tmp_path / "calls.json", planted("a", "b", "c")), Home(tmp_path / "home")
    assert home.autosr("search", path, *SMALL, "--scope", str(scope), roles=fake_roles(noise=0.3)).code == 0

    monkeypatch.setattr("autosr_lib.pipeline.backend_pool.open_backend", lambda *_: fake_backend(fake_roles(noise=0.3)))
    store = TableStore(tmp_path / "library")
    plan = plan_over(path, store, scope, {"search": SETTINGS})
    result = asyncio.run(search_dataset(plan, RunContext(store)))

    assert (set(result.handles), result.failed) == ({"a", "b", "c"}, {})
    assert tables(tmp_path / "library") == tables(home.root / "storage")


def test_a_second_search_computes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autosr_lib.pipeline.backend_pool.open_backend", lambda *_: fake_backend(fake_roles(noise=0.3)))
    path, store = write_prompts(tmp_path / "calls.json", planted("a", "b")), TableStore(tmp_path / "library")
    plan = plan_over(path, store, Scope.PROMPT_LOCAL, {"search": SETTINGS})

    first, second = (asyncio.run(search_dataset(plan, RunContext(store))) for _ in range(2))

    assert (first.computed, second.computed) == ({"a", "b"}, set())
    assert set(second.succeeded) == {"a", "b"}


@pytest.fixture
def no_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every attempt to construct a backend or a client fail, although there is a key."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("a backend was constructed")

    monkeypatch.setenv("LLM_API_KEY", "not a key")
    monkeypatch.setattr("autosr_lib.pipeline.backend_pool.open_backend", fail)
    monkeypatch.setattr("autosr_lib.llm.endpoint.client.ModelClient.__init__", fail)


@pytest.mark.usefixtures("no_backend")
def test_a_plan_counts_and_estimates_without_a_backend(tmp_path: Path) -> None:
    path, store = write_prompts(tmp_path / "calls.json", planted("a", "b")), TableStore(tmp_path / "library")
    plan = plan_over(path, store, Scope.GLOBAL_BATCH, {"search": MODELS, "dataset": MODELS})
    store.write(plan.dataset.dataset_table, None, dataset_table(planted("a", "b")))

    pending = stored_pending_work(plan.with_stored_prompts(store), store)
    spending = expected_spending(plan, store)

    assert pending.keys == {"a", "b"}
    assert (spending.prompts, spending.reachable) == (2, 2)
    assert sum(use.calls for use in spending.uses.values()) > 0


@pytest.mark.usefixtures("no_backend")
@pytest.mark.parametrize("option", ["--dry-run", "--estimate"])
def test_the_command_line_counts_and_estimates_without_a_backend(option: str, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b"))

    result = Home(tmp_path / "home").autosr("search", path, option)

    assert (result.code, result.err) == (0, "")


def run_python(*arguments: str) -> str:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=EXAMPLES.parent, check=True, capture_output=True, text=True).stdout  # noqa: S603


def test_the_example_gets_the_same_rubrics_as_the_graph(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert home.autosr("search", str(EXAMPLES / "demo_dataset.json")).code == 0

    printed = run_python(str(SCRIPT), str(EXAMPLES / "demo_dataset.json"), str(tmp_path / "library"))

    of_graph, of_script = tables(home.root / "storage"), tables(tmp_path / "library")
    assert {name.replace("demo_dataset/", "demo/"): content for name, content in of_graph.items()} == of_script
    for entry in home.export("demo_dataset")["best_rubrics"]:
        assert entry["prompt_id"] in printed
        assert all(criterion["text"] in printed for criterion in entry["rubric"]["criteria"])


def test_the_example_has_at_most_thirty_lines_and_imports_no_dagster() -> None:
    check = f"import runpy, sys; runpy.run_path({str(SCRIPT)!r}); print([m for m in sys.modules if 'dagster' in m])"

    printed = run_python("-c", check)

    assert printed.splitlines()[-1] == "[]"

    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) <= 30


def test_the_example_of_one_prompt_prints_its_rubric_and_scores() -> None:
    lines = run_python(str(EXAMPLES / "search_one_prompt.py")).splitlines()

    assert lines[0].split()[0].endswith("%")
    assert 0 <= float(lines[-1].split()[0]) <= 1
