"""The command line drives the graph: once, again, in chunks, after a crash, with a prompt that fails."""

import asyncio
import inspect
import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from autosr_assets.automation.partition_ranges import partition_ranges
from autosr_assets.cli.lazy_commands import LazyGroup, load
from autosr_assets.cli.main import COMMANDS
from autosr_assets.cli.options.settings import all_settings
from autosr_assets.runtime.graph_names import prompts_of
from autosr_lib.errors import EndpointError
from autosr_lib.evaluation.roles import Grade, GradeRequest
from autosr_lib.search.roles import Roles
from autosr_lib.storage.tables.columns import Columns
from tests.assets.commands import Home, Said, planted, write_prompts
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier, fake_roles

DEMO = Path(__file__).parents[2] / "examples" / "demo_dataset.json"
SMALL = ("--population-size", "4", "--mutations-per-round", "2", "--no-stop-when-distinguished")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, Said]:
    """Return a home in which the demo dataset was searched, and what was printed."""
    home = Home(tmp_path_factory.mktemp("demo"))
    return home, home.autosr("search", str(DEMO))


def search(home: Home, path: str, *options: str, roles: Roles | None = None) -> Said:
    """Search a dataset with fake roles, in one small generation unless the options say more."""
    generations = () if "--generations" in options else ("--generations", "1")
    return home.autosr("search", path, *SMALL, *generations, *options, roles=roles or fake_roles(noise=0.3))


def best(home: Home, name: str = "calls") -> dict[str, Columns]:
    """Return the row of each prompt's best rubric."""
    return {key: rows[0] for key, rows in home.rows(f"{name}/best_rubrics").items()}


# --- the demo ----------------------------------------------------------------------------------------------------------


def test_the_demo_ends_by_printing_rubrics_scores_figures_and_where_the_outputs_lie(demo: tuple[Home, Said]) -> None:
    home, said = demo

    assert said.code == 0
    for prompt in json.loads(DEMO.read_text())["prompts"]:
        assert prompt["prompt_id"] in said.out
        assert all(candidate["candidate_id"] in said.out for candidate in prompt["candidates"])
    assert re.search(r"held-out accuracy\s+initial [\d.]+% \[[\d.]+%, [\d.]+%\], best [\d.]+% \[", said.out)
    assert str(home.root / "exports" / "demo_dataset.json") in said.out
    assert str(home.root / "storage" / "demo_dataset") in said.out


def test_a_new_file_is_read_and_searched_in_one_run(demo: tuple[Home, Said]) -> None:
    home, _ = demo

    with home.dagster() as dagster:
        made = [
            dagster.get_latest_materialization_event(dg.AssetKey(["demo_dataset", asset]))
            for asset in ("dataset", "preferences", "best_rubrics")
        ]

    assert len({event.run_id for event in made if event is not None}) == 1
    assert None not in made


def test_its_export_has_every_field_of_the_seed_format(demo: tuple[Home, Said]) -> None:
    export = demo[0].export("demo_dataset")
    ids = [prompt["prompt_id"] for prompt in json.loads(DEMO.read_text())["prompts"]]

    assert [entry["prompt_id"] for entry in export["best_rubrics"]] == ids
    for entry in export["best_rubrics"]:
        assert {"rubric", "best_candidate_id", "candidate_scores"} <= set(entry)
        assert {"criterion_id", "text", "weight"} <= set(entry["rubric"]["criteria"][0])
        assert entry["best_candidate_id"] == max(entry["candidate_scores"], key=entry["candidate_scores"].get)
    assert list(export["best_objective_scores"]) == list(export["best_scores"]) == ids
    assert {"run_id", "seed", "settings", "backend"} <= set(export["run_manifest"])


def test_to_run_it_again_changes_no_file_and_says_so(demo: tuple[Home, Said]) -> None:
    home, first = demo
    before = home.files()

    again = home.autosr("search", str(DEMO))

    assert home.files() == before
    assert again.code == 0
    assert "All 3 prompts of demo_dataset are up to date." in again.out
    assert first.out in again.out


def test_another_output_is_written_without_searching_again(demo: tuple[Home, Said], tmp_path: Path) -> None:
    home, _ = demo

    def searched() -> dict[str, tuple[int, bytes]]:
        records = ("rubric_export", "storage/runs/")  # of the export, and of it alone
        return {name: content for name, content in home.files().items() if not any(part in name for part in records)}

    before = searched()

    said = home.autosr("search", str(DEMO), "--output", str(tmp_path / "other.json"))

    assert said.code == 0
    assert json.loads((tmp_path / "other.json").read_text())["best_rubrics"]
    assert searched() == before


def test_a_prompt_is_shown_with_its_lineage_and_an_unknown_one_with_those_that_come_close(
    demo: tuple[Home, Said],
) -> None:
    home, _ = demo

    shown, unknown = home.autosr("show", "moon-shape"), home.autosr("show", "moonshape")

    assert shown.code == 0
    assert "initial in generation 0" in shown.out
    assert "moon-shape-4" in shown.out
    assert unknown.code == 2
    assert unknown.err == "autosr: prompt 'moonshape' is in no stored search; did you mean 'moon-shape'?\n"


# --- the same rows, however they come about ----------------------------------------------------------------------------


@pytest.mark.slow
def test_one_go_chunks_and_resuming_give_the_same_best_rubrics(tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b"))
    whole, chunked, resumed = (Home(tmp_path / name) for name in ("whole", "chunked", "resumed"))

    four = ("--generations", "4")

    assert search(whole, path, *four).code == 0
    assert search(chunked, path, *four, "--chunk-size", "1").code == 0
    assert search(resumed, path, *four, "--max-generations", "3").code == 0
    early = best(resumed)
    assert search(resumed, path, *four).code == 0

    assert best(whole) == best(chunked) == best(resumed) != early
    assert best(whole)["a"]["generations"] == 4
    assert whole.export("calls")["best_rubrics"] == chunked.export("calls")["best_rubrics"]


def test_prompts_that_depend_on_each_other_are_never_cut_into_chunks(tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b"))
    together = ("--scope", "global_batch", "--batch-size", "1", "--generations", "1")
    whole, chunked = Home(tmp_path / "whole"), Home(tmp_path / "chunked")

    said = [search(whole, path, *together), search(chunked, path, *together, "--chunk-size", "1")]

    assert [one.code for one in said] == [0, 0]
    assert best(whole, "calls_global_batch") == best(chunked, "calls_global_batch")


@dataclass
class Crashing(FakeVerifier):
    """Does `crash` at its request number `at`."""

    at: int = -1
    crash: Callable[[], None] = field(default=lambda: None)

    async def grade(self, request: GradeRequest) -> dict[str, Grade]:
        if len(self.requests) == self.at:
            self.crash()
            await asyncio.sleep(0.05)
        return dict(await super().grade(request))


def endpoint_dies() -> None:
    raise EndpointError("https://example.com/v1: HTTP 401; check LLM_API_KEY")


@pytest.mark.parametrize(
    ("crash", "code", "line"),
    [
        (endpoint_dies, 2, "autosr: https://example.com/v1: HTTP 401; check LLM_API_KEY\n"),
        (
            lambda: signal.raise_signal(signal.SIGINT),
            130,
            "autosr: stopped; what is done is stored, and the same command goes on from there\n",
        ),
    ],
    ids=["endpoint", "ctrl-c"],
)
def test_a_run_that_ends_early_says_so_in_one_line_and_the_next_goes_on_from_there(
    tmp_path: Path, crash: Callable[[], None], code: int, line: str
) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b"))
    whole, ended = Home(tmp_path / "whole"), Home(tmp_path / "ended")
    calm, crashing = Crashing(noise=0.3), Crashing(noise=0.3, crash=crash)

    search(whole, path, roles=Roles(FakeInitializer(), FakeProposer(), calm, FakeJudge()))
    crashing.at = len(calm.requests) * 2 // 3  # in generation 1
    early = search(ended, path, roles=Roles(FakeInitializer(), FakeProposer(), crashing, FakeJudge()))
    first = ended.rows("calls/initial_rubrics")
    late = search(ended, path)

    assert (early.code, early.err.splitlines(keepends=True)[-1]) == (code, line)
    assert late.code == 0
    assert ended.rows("calls/initial_rubrics") == first
    assert best(ended) == best(whole)


# --- prompts that fail, leave and come ---------------------------------------------------------------------------------


def test_a_prompt_that_fails_leaves_the_others_stored_and_exported_and_is_named(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b", "c"))
    failing = Roles(FakeInitializer(failing=frozenset({"b"})), FakeProposer(), FakeVerifier(0.3), FakeJudge())

    said = search(home, path, roles=failing)

    assert said.code == 3
    assert "b: RuntimeError: no rubric for b" in said.out
    assert {key: row["status"] for key, row in best(home).items()} == {"a": "done", "b": "failed", "c": "done"}
    export = home.export("calls")
    assert [entry["prompt_id"] for entry in export["best_rubrics"]] == ["a", "c"]
    assert export["failed_prompts"] == {"b": "RuntimeError: no rubric for b"}
    assert green_and_red(home, "calls") == ({"a", "c"}, {"b"})

    before = {key: content for key, content in home.files().items() if key.endswith(("/a.parquet", "/c.parquet"))}
    again = search(home, path)

    assert again.code == 0
    assert {key: home.files()[key] for key in before} == before
    assert green_and_red(home, "calls") == ({"a", "b", "c"}, set())
    assert [entry["prompt_id"] for entry in home.export("calls")["best_rubrics"]] == ["a", "b", "c"]


def green_and_red(home: Home, name: str) -> tuple[set[str], set[str]]:
    """Return the prompts whose best rubric Dagster shows as materialized, and as failed."""
    key, prompts = dg.AssetKey([name, "best_rubrics"]), prompts_of(name)
    with home.dagster() as instance:
        status = get_and_update_asset_status_cache_value(instance, key, prompts, dynamic_partitions_loader=instance)
        assert status is not None
        failed = status.deserialize_failed_partition_subsets(prompts)
        return set(instance.get_materialized_partitions(key)), set(failed.get_partition_keys())


def test_prompts_that_leave_the_dataset_are_withdrawn_and_new_ones_are_searched(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b", "c"))
    search(home, path)
    old = best(home)
    a, b, c, d = planted("a", "b", "c", "d")
    changed = a.model_copy(update={"prompt": "Write something else."})
    write_prompts(tmp_path / "calls.json", [d, c, changed])

    counted = search(home, path, "--dry-run")
    said = search(home, path)

    assert counts(counted) == {"missing": 1, "failed": 0, "stale": 1, "incomplete": 0, "done": 1, "withdrawn": 1}
    assert said.code == 0
    assert [entry["prompt_id"] for entry in home.export("calls")["best_rubrics"]] == ["d", "c", "a"]
    assert best(home)["c"] == old["c"]
    assert best(home)["a"] != old["a"]

    write_prompts(tmp_path / "calls.json", [a, b, c])
    back = search(home, path)

    assert back.code == 0
    assert best(home)["b"] == old["b"]


def test_a_dry_run_counts_what_there_is_to_do_and_does_none_of_it(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a", "b"))

    before = search(home, path, "--dry-run")
    nothing = home.files()
    search(home, path)
    after, other = search(home, path, "--dry-run"), search(home, path, "--dry-run", "--tail-fraction", "0.5")

    assert (before.code, nothing) == (0, {})
    assert counts(before)["missing"] == 2
    assert counts(after)["done"] == 2
    assert counts(other)["stale"] == 2


def counts(said: Said) -> dict[str, int]:
    return {kind: int(number) for kind, number in re.findall(r"^(\w+)\s+(\d+)\s*$", said.out, re.MULTILINE)}


@pytest.mark.parametrize(
    ("wanted", "chunk_size", "runs"),
    [
        ("abc", 10, ["abc"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("aci", 10, ["abc", "i"]),
        ("h", 1, ["h"]),
        ("ac", 2, ["a", "c"]),
        ("", 5, []),
    ],
)
def test_work_is_cut_into_ranges_that_pass_little_through(wanted: str, chunk_size: int, runs: list[str]) -> None:
    assert ["".join(run) for run in partition_ranges("abcdefghi", set(wanted), chunk_size)] == runs


# --- names -------------------------------------------------------------------------------------------------------------


def test_two_files_of_one_name_never_share_prompts(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "one" / "calls.json", planted("a"))
    other = write_prompts(tmp_path / "two" / "calls.json", planted("z"))
    search(home, path)

    refused, named = search(home, other), search(home, other, "--name", "others")

    assert refused.code == 2
    assert refused.err == f"autosr: name 'calls' is taken by {path}; give {other} another one: --name NAME\n"
    assert named.code == 0
    assert (list(best(home)), list(best(home, "others"))) == (["a"], ["z"])


def test_the_iterative_baseline_shares_prompts_and_preferences_but_no_rows(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a"))
    search(home, path)
    before = home.files()

    said = search(home, path, "--mode", "iterative", "--iterations", "2")

    assert said.code == 0
    assert best(home, "calls_iterative")["a"]["generations"] == 2
    assert {name: home.files()[name] for name in before} == before


def test_a_defined_search_runs_with_the_overrides_of_this_run(home: Home) -> None:
    said = home.autosr(
        "search", "--search", "evolutionary", "--max-generations", "1", "--population-size", "3",
        "--backend", "mock", "--pairs-per-candidate", "2",
    )  # fmt: skip

    assert said.code == 0
    assert {row["generations"] for row in best(home, "evolutionary").values()} == {1}
    manifest = home.export("evolutionary")["run_manifest"]
    assert manifest["settings"]["evolution"]["population_size"] == 3
    assert manifest["dataset_settings"]["reference"]["pairs_per_candidate"] == 2


# --- errors and help ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["search"], "nothing to search; give a dataset's file, or --search with a folder of defs/, not both"),
        (["search", "nowhere.json"], f"{Path.cwd() / 'nowhere.json'}: there is no such file"),
        (["search", str(DEMO), "--population-size", "0"], "evolution.population_size is 0; must be greater than or"),
        (["search", str(DEMO), "--population-size", "many"], "evolution.population_size is 'many'; must be a valid"),
        (
            ["search", str(DEMO), "--selection-strategy", "best"],
            "selection.selection_strategy is 'best'; must be 'rank'",
        ),
        (["search", str(DEMO), "--prices", "{"], "backend.llm.prices is '{'; must be JSON"),
        (["search", str(DEMO), "--populaton-size", "3"], "No such option: --populaton-size"),
        (["search", str(DEMO), "--name", "a b"], "name of the search is 'a b'; must be a letter and then"),
        (["search", str(DEMO), "--name", "evolutionary"], "name 'evolutionary' belongs to defs/"),
        (["search", str(DEMO), "--max-generations", "90"], "stop.max_generations is 90; must be at most"),
        (["search", str(DEMO), "--backend", "llm"], "backend is 'llm', but the environment variable LLM_API_KEY is"),
        (["search", str(DEMO), "--formal"], "backend is 'llm', but the environment variable LLM_API_KEY is empty"),
        (["search", str(DEMO), "--formal", "--backend", "mock"], "backend is 'mock', but --formal asks models"),
        (["search", "--search", "nothing"], "search 'nothing' is not in"),
        (["search", "--search", "evolutionary", "--mode", "iterative"], "mode cannot be changed for one run of"),
        (["search", "--search", "evolutionary", "--name", "x"], "name 'x' is for a file; the search 'evolutionary'"),
        (["validate", "nowhere.json"], "nowhere.json: there is no such file"),
        (["show", "x", "--name", "nothing"], "name 'nothing' is no stored search; there are none yet"),
        (["nothing"], "No such command 'nothing'"),
    ],
)
def test_a_mistake_is_one_line_on_stderr(home: Home, arguments: list[str], line: str) -> None:
    said = home.autosr(*arguments)

    assert said.code == 2
    assert said.err.startswith(f"autosr: {line}")
    assert said.err.count("\n") == 1
    assert said.out == ""
    assert home.files() == {}


def test_debug_shows_where_an_error_comes_from(home: Home) -> None:
    assert "Traceback" in home.autosr("search", "nowhere.json", "--debug").err
    assert "Traceback" in home.autosr("--debug", "validate", "nowhere.json").err


def test_every_setting_is_an_option_once(home: Home) -> None:
    names = [one.name for one in all_settings()]

    text = home.autosr("search", "--help").out

    assert len(set(names)) == len(names)
    assert [name for name in names if f"--{name.replace('_', '-')}" not in text] == []
    assert {"population_size", "holdout_fraction", "noise", "base_url", "seed", "role_judge_seed"} <= set(names)


def test_the_original_profile_gives_way_to_what_is_said(home: Home, tmp_path: Path) -> None:
    path = write_prompts(tmp_path / "calls.json", planted("a"))

    said = home.autosr(
        "search", path, "--profile", "original", "--generations", "1", "--num-votes", "2", roles=fake_roles()
    )

    manifest = home.export("calls")["run_manifest"]
    assert said.code == 0
    assert manifest["structure"]["generations"] == 1
    assert (manifest["settings"]["grading"]["num_votes"], manifest["settings"]["evolution"]["mutations_per_round"]) == (
        2,
        6,
    )


def test_a_dataset_is_validated_with_the_reference_of_its_prompts(home: Home, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    prompts = json.loads(DEMO.read_text())
    prompts["prompts"][0]["candidates"] = []
    broken.write_text(json.dumps(prompts))

    fit, faulty = home.autosr("validate", str(DEMO)), home.autosr("validate", str(broken))
    skipped = home.autosr("validate", str(broken), "--skip-invalid")

    assert fit.code == 0
    assert "quality: 3 prompts" in fit.out
    assert faulty.code == 2
    assert "prompts[0].candidates" in faulty.err
    assert skipped.code == 0
    assert "quality: 2 prompts" in skipped.out
    assert "prompts[0].candidates" in skipped.out


def test_the_templates_can_be_copied_and_are_not_written_over(home: Home, tmp_path: Path) -> None:
    first, again = (home.autosr("prompts", "export", str(tmp_path / "mine")) for _ in range(2))

    assert first.code == 0
    assert list((tmp_path / "mine").rglob("verifier.*"))
    assert again.code == 2
    assert "already exists" in again.err


def test_the_version_is_told(home: Home) -> None:
    assert home.autosr("--version").out == f"autosr {version('autosr')}\n"


SLOW = {"numpy", "pyarrow", "pandas", "scipy", "openai", "dagster", "jinja2", "fastapi"}
COMMANDS_OF_ALL_GROUPS = [
    [name, *inner]
    for name, entry in COMMANDS.items()
    for inner in ([[inner] for inner in entry.commands] if isinstance(entry, LazyGroup) else [[]])
]


@pytest.mark.parametrize(
    ("arguments", "slow"),
    [
        (["--help"], {"pydantic", *SLOW}),
        *(([*command, "--help"], SLOW) for command in COMMANDS_OF_ALL_GROUPS),  # typer needs pydantic for options
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_is_quick_since_nothing_slow_is_imported(arguments: list[str], slow: set[str]) -> None:
    code = f"import sys; from autosr_assets.cli.main import run; run({arguments!r}); sys.stderr.write(' '.join(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603

    assert "Usage" in done.stdout
    assert set(done.stderr.split()) & slow == set()


@pytest.mark.parametrize("command", COMMANDS_OF_ALL_GROUPS, ids=" ".join)
def test_the_work_of_a_command_takes_the_options_that_the_table_names(command: list[str]) -> None:
    entry = COMMANDS[command[0]]
    entry = entry.commands[command[1]] if isinstance(entry, LazyGroup) else entry

    (parameter,) = inspect.signature(load(entry.run)).parameters.values()

    assert parameter.annotation is load(entry.options)
