"""The command line: its table of commands, help texts, and errors on one line."""

import inspect
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from autosr_assets.cli.lazy_commands import LazyGroup, load
from autosr_assets.cli.main import COMMANDS
from autosr_assets.cli.options.settings import all_settings
from tests.assets.commands import Home

DEMO = Path(__file__).parents[2] / "examples" / "demo_dataset.json"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["search"], "nothing to search; give either a dataset's file, or --search with a folder of defs/"),
        (["search", "nowhere.json"], f"{Path.cwd() / 'nowhere.json'}: there is no such file"),
        (["search", str(DEMO), "--population-size", "0"], "evolution.population_size is 0; must be greater than or"),
        (["search", str(DEMO), "--population-size", "many"], "evolution.population_size is 'many'; must be a valid"),
        (
            ["search", str(DEMO), "--selection-strategy", "best"],
            "selection.selection_strategy is 'best'; must be 'rank'",
        ),
        (["search", str(DEMO), "--prices", "{"], "backend.llm.prices is '{'; must be JSON"),
        (["search", str(DEMO), "--populaton-size", "3"], "No such option: --populaton-size"),
        (["search", str(DEMO), "--name", "a b"], "name of the search is 'a b'; must be a letter followed by"),
        (["search", str(DEMO), "--name", "evolutionary"], "name 'evolutionary' belongs to defs/"),
        (["search", str(DEMO), "--max-generations", "90"], "stop.max_generations is 90; must be at most"),
        (["search", str(DEMO), "--backend", "llm"], "backend is 'llm', but the environment variable LLM_API_KEY is"),
        (["search", str(DEMO), "--formal"], "backend is 'llm', but the environment variable LLM_API_KEY is empty"),
        (["search", str(DEMO), "--formal", "--backend", "mock"], "backend is 'mock', but --formal requires models"),
        (["search", "--search", "nothing"], "search 'nothing' is not in"),
        (["search", "--search", "evolutionary", "--mode", "iterative"], "mode cannot be changed for one run of"),
        (
            ["search", "--search", "evolutionary", "--name", "x"],
            "name 'x' is only for a dataset's file; the search 'evolutionary'",
        ),
        (["validate", "nowhere.json"], "nowhere.json: there is no such file"),
        (["show", "x", "--name", "nothing"], "name 'nothing' is not a stored search; there are none yet"),
        (["nothing"], "No such command 'nothing'"),
    ],
)
def test_an_error_is_one_line_on_stderr(home: Home, arguments: list[str], line: str) -> None:
    result = home.autosr(*arguments)

    assert result.code == 2
    assert result.err.startswith(f"autosr: {line}")
    assert result.err.count("\n") == 1
    assert result.out == ""
    assert home.files() == {}


def test_debug_shows_where_an_error_comes_from(home: Home) -> None:
    assert "Traceback" in home.autosr("search", "nowhere.json", "--debug").err
    assert "Traceback" in home.autosr("--debug", "validate", "nowhere.json").err


def test_every_setting_is_an_option_once(home: Home) -> None:
    names = [setting.name for setting in all_settings()]

    text = home.autosr("search", "--help").out

    assert len(set(names)) == len(names)
    assert [name for name in names if f"--{name.replace('_', '-')}" not in text] == []
    assert {"population_size", "holdout_fraction", "noise", "base_url", "seed", "role_judge_seed"} <= set(names)


def test_the_version_is_printed(home: Home) -> None:
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
