"""The command line `autosr`: search, score, serve, eval, validate, show, rubrics, report, compare, checks, prune, prompts, runs, cache.

What is slow to import (settings, Dagster, Arrow) is imported by the command that needs it, so that help is quick.
"""

import signal
import sys
import traceback
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from autosr_assets.cli.cache import app as cache_app
from autosr_assets.cli.prune import prune
from autosr_assets.cli.report import report
from autosr_assets.cli.reward import app as reward_app
from autosr_assets.cli.reward import rubrics_app
from autosr_assets.cli.runs import app as runs_app
from autosr_assets.cli.runs import checks, compare
from autosr_assets.cli.shared import DONE, OUR_FAULT, STOPPED, TERMINATED, YOUR_FAULT, Debug, Run, open_store, stdout
from autosr_assets.runtime.last_signal import watch_signals
from autosr_lib.errors import AutosrError, SettingsError, StorageError


class Commands(TyperGroup):
    """The commands, of which `search` is made only when it is run: its options are all settings."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments name."""
        if args[:1] == ["search"]:
            from autosr_assets.cli.search import command  # noqa: PLC0415

            self.commands["search"] = command
        return super().resolve_command(ctx, args)


app = typer.Typer(cls=Commands, add_completion=False, rich_markup_mode="rich")
prompts_app = typer.Typer(rich_markup_mode="rich")
app.add_typer(prompts_app, name="prompts", help="The templates of what a model is told.")
app.add_typer(reward_app)
app.add_typer(rubrics_app, name="rubrics", help="The rubrics of a search, in the shapes that others read.")
app.add_typer(runs_app, name="runs", help="The runs on record: what they were told, and what they came to.")
app.add_typer(cache_app, name="cache", help="The replies of models that are kept on disk.")


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"autosr {version('autosr')}")
        raise typer.Exit


@app.callback()
def autosr(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True, metavar=""),
    ] = False,
    _debug: Debug = False,
) -> None:
    """Search, for every prompt of a dataset, for the grading rubric that best orders responses."""


@app.command()
def search() -> None:
    """Search for the best rubric of every prompt of a dataset."""
    raise NotImplementedError("stands here for the command in cli_search.py")


@app.command()
def validate(
    dataset: Annotated[str, typer.Argument(help="File of prompts: JSON, JSON Lines, CSV or Parquet.")],
    *,
    skip_invalid: Annotated[
        bool,
        typer.Option(
            "--skip-invalid", help="Drop faulty prompts and report them, instead of refusing the file.", metavar=""
        ),
    ] = False,
    few_candidates: Annotated[
        bool,
        typer.Option(
            "--few-candidates", help="Prompts may have fewer than two candidates, as with response_models.", metavar=""
        ),
    ] = False,
    _debug: Debug = False,
) -> None:
    """Check a dataset: every fault with its place, or a summary."""
    from autosr_assets.cli.reports import dataset_summary  # noqa: PLC0415
    from autosr_lib.evaluation.reference import choose_judge  # noqa: PLC0415
    from autosr_lib.evaluation.responses import FEWEST_CANDIDATES, needs_responses  # noqa: PLC0415
    from autosr_lib.evaluation.settings import JudgeSetting  # noqa: PLC0415
    from autosr_lib.storage.datasets import DatasetReader  # noqa: PLC0415

    fewest = 0 if few_candidates else FEWEST_CANDIDATES
    reader = DatasetReader(dataset, skip_invalid=skip_invalid, min_candidates=fewest)
    references = Counter(
        "response_models, then model" if needs_responses(prompt) else str(choose_judge(prompt, JudgeSetting.AUTO))
        for prompt in reader
    )
    console = stdout()
    console.print(f"{reader.path}: fit for a search", markup=False, soft_wrap=True)
    console.print(dataset_summary(reader.contents, references))


@app.command()
def show(
    prompt: Annotated[str, typer.Argument(help="Id of a prompt.")],
    *,
    name: Annotated[
        str | None, typer.Option(help="Name of the search; by default the latest that has the prompt.")
    ] = None,
    _debug: Debug = False,
) -> None:
    """Show a prompt's best rubric, its candidates' scores and where the rubric comes from."""
    from autosr_assets.cli.reports import best_panel, failures  # noqa: PLC0415
    from autosr_assets.cli.stored_searches import best_row  # noqa: PLC0415
    from autosr_lib.storage.tables.best_rubrics import BestRubricRow  # noqa: PLC0415

    found = best_row(open_store(), prompt, name)
    console = stdout()
    others = f" (also in: {', '.join(found.others)})" if found.others else ""
    console.print(f"search {found.search}{others}", style="dim")
    if isinstance(found.row, BestRubricRow):
        console.print(best_panel(found.row, show_lineage=True))
    else:
        console.print(failures({prompt: found.row.error or found.row.status}))


app.command()(report)
app.command()(compare)
app.command()(checks)
app.command()(prune)


@prompts_app.callback()
def prompts() -> None:
    """Make a group of the one command, so that others may come."""


@prompts_app.command("export")
def export_prompts(
    folder: Annotated[Path, typer.Argument(help="Folder to write them to; made if it is not there.")],
    *,
    force: Annotated[bool, typer.Option("--force", help="Write over templates that are there.", metavar="")] = False,
    _debug: Debug = False,
) -> None:
    """Copy the built-in templates, to be changed and used by `--prompts-dir`."""
    from autosr_lib.llm.templates import builtin_templates_folder  # noqa: PLC0415

    root = builtin_templates_folder()
    copies = {path: folder / path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file()}
    if not force and (there := [str(target) for target in copies.values() if target.exists()]):
        raise SettingsError(f"{there[0]} is there already; give another folder, or --force to write over it")
    for path, target in copies.items():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        except OSError as error:
            raise StorageError(f"{target}: cannot be written: {error.strerror or error}") from error
    typer.echo(f"{len(copies)} templates are in {folder}; use them with --prompts-dir {folder}")


def main() -> None:
    """Run the command of the shell and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command and return its exit code; an error is one line on stderr."""
    told = Run()
    with watch_signals() as last_signal:
        code = _run(arguments, told)
        return TERMINATED if code == STOPPED and last_signal() == signal.SIGTERM else code


def _run(arguments: list[str], told: Run) -> int:
    try:
        code = app(arguments or ["--help"], prog_name="autosr", standalone_mode=False, obj=told)
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    except AutosrError as error:
        return _said(told, YOUR_FAULT, str(error))
    except OSError as error:  # a disk that is full, a folder that may not be written: whoever runs the machine mends it
        where = f"{error.filename}: " if error.filename is not None else ""
        return _said(told, YOUR_FAULT, f"{where}{error.strerror or error}")
    except Exception as error:  # noqa: BLE001 - the last line of defence: one line, and the way to see more
        if (usage := getattr(error, "format_message", None)) is not None:  # an option that does not exist, and the like
            return _said(told, YOUR_FAULT, usage())
        said = f"{type(error).__name__}: {error}; this is a fault of autosr, --debug shows where"
        return _said(told, OUR_FAULT, said)
    if code == STOPPED:  # typer makes it of a KeyboardInterrupt
        return _said(told, STOPPED, "stopped; what is done is stored, and the same command goes on from there")
    return code if isinstance(code, int) else DONE


def _said(told: Run, code: int, message: str) -> int:
    if told.is_debug:
        traceback.print_exc()
    print("autosr: " + " ".join(message.split()), file=sys.stderr)  # noqa: T201 - an error is for the terminal
    return code
