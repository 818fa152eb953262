"""Small searches by the command line, with fake roles."""

from autosr_lib.search.roles import Roles
from autosr_lib.storage.tables.columns import Columns
from tests.assets.commands import CommandResult, Home
from tests.fakes import fake_roles

SMALL = ("--population-size", "4", "--mutations-per-round", "2", "--no-stop-when-distinguished")


def search(home: Home, path: str, *options: str, roles: Roles | None = None) -> CommandResult:
    """Search a dataset with fake roles, by default in a single small generation."""
    generations = () if "--generations" in options else ("--generations", "1")
    return home.autosr("search", path, *SMALL, *generations, *options, roles=roles or fake_roles(noise=0.3))


def best_rows(home: Home, name: str = "calls") -> dict[str, Columns]:
    """Return the row of each prompt's best rubric."""
    return {key: rows[0] for key, rows in home.rows(f"{name}/best_rubrics").items()}
