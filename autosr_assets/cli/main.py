"""The command line `autosr`: the table of its commands, and how they end.

To add a command: an entry of `COMMANDS`, a class of options in `options/`, and a module with the function that does the
work.
"""

import signal
import sys
import traceback
from importlib.metadata import version
from typing import Annotated

import typer

from autosr_assets.cli.exit_codes import ExitCode
from autosr_assets.cli.lazy_commands import CommandState, Debug, LazyCommand, LazyGroup, make_app
from autosr_assets.runtime.last_signal import watch_signals
from autosr_lib.errors import AutosrError

COMMANDS: dict[str, LazyCommand | LazyGroup] = {
    "search": LazyCommand(
        "options.search:SearchOptions",
        "search:search",
        "Search for the best rubric of every prompt of a dataset.",
        "Finished work is not repeated: the same command continues where the last one stopped.",
    ),
    "validate": LazyCommand(
        "options.files:ValidateOptions",
        "validate:validate",
        "Check a dataset: print every fault with its location, or a summary.",
    ),
    "show": LazyCommand(
        "options.results:ShowOptions",
        "show:show",
        "Show a prompt's best rubric, its candidates' scores and the rubric's lineage.",
    ),
    "report": LazyCommand(
        "options.results:ReportOptions",
        "report:report",
        "Write the HTML report of a search's last export again, from stored data, and print its path.",
    ),
    "compare": LazyCommand(
        "options.results:CompareOptions",
        "compare:compare",
        "Compare searches over one dataset: accuracy on the same held-out pairs, calls, cost.",
    ),
    "checks": LazyCommand(
        "options.results:ChecksOptions",
        "checks:checks",
        "Show the latest results of the checks of searches; exit with 4 if one failed or has not run.",
    ),
    "prune": LazyCommand(
        "options.files:PruneOptions",
        "prune:prune",
        "Delete old data that no later run needs.",
        "generations: the states between the first and the last generation of finished prompts; no prompt becomes stale.\n"
        "runs: Dagster's runs and events, except those that produced the current state of an asset. "
        "replies: cached replies of models.",
    ),
    "prompts": LazyGroup(
        "The prompt templates for models.",
        {
            "export": LazyCommand(
                "options.files:ExportPromptsOptions",
                "prompts:export_prompts",
                "Copy the built-in templates, to be edited and used with `--prompts-dir`.",
            )
        },
    ),
    "score": LazyCommand(
        "options.grading:ScoreOptions",
        "score:score",
        "Score responses with the rubrics of a search; responses that have a score are not graded again.",
    ),
    "eval": LazyCommand(
        "options.grading:EvalOptions",
        "evaluate:evaluate",
        "Measure rubrics on labelled responses; pairs that the search used are reported separately from new ones.",
    ),
    "serve": LazyCommand(
        "options.grading:ServeOptions",
        "serve:serve",
        "Serve scores over HTTP: /score, /batch_score, /rubrics, /healthz, /metrics, documented at /docs.",
        "Requests must contain the bearer token in the environment variable AUTOSR_SERVE_TOKEN. The token is optional if only "
        "this machine can reach the server.",
        extra="serve",
    ),
    "rubrics": LazyGroup(
        "The rubrics of a search, in the formats of other tools.",
        {
            "export": LazyCommand(
                "options.grading:ExportRubricsOptions",
                "rubrics:export_rubrics",
                "Write rubrics in the formats of other tools.",
            )
        },
    ),
    "runs": LazyGroup(
        "The recorded runs: their settings and results.",
        {
            "list": LazyCommand(
                "options.results:ListRunsOptions",
                "runs:list_runs",
                "List the recorded runs, the latest first. Runs that changed nothing are not recorded.",
            ),
            "show": LazyCommand(
                "options.results:ShowRunOptions", "runs:show_run", "Show the settings and results of a run."
            ),
            "diff": LazyCommand(
                "options.results:DiffRunsOptions",
                "runs:diff_runs",
                "Show how two runs differ in settings and in results; by default the last two.",
            ),
        },
    ),
    "cache": LazyGroup(
        "The cached replies of models.",
        {
            "info": LazyCommand(
                "options.files:CacheInfoOptions",
                "cache:show_cache",
                "Show where replies are cached, how many there are and how large they are.",
            ),
            "clear": LazyCommand(
                "options.files:ClearCacheOptions",
                "cache:clear_cache",
                "Delete all cached replies. Results stay, but a new search pays for its replies again.",
            ),
        },
    ),
}

app = make_app(COMMANDS)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
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


def main() -> None:
    """Run the command of the shell and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command and return its exit code; an error is one line on stderr."""
    state = CommandState()
    with watch_signals() as last_signal:
        try:
            result = app(arguments or ["--help"], prog_name="autosr", standalone_mode=False, obj=state)
        except (KeyboardInterrupt, typer.Abort):
            result = ExitCode.INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the last line of defence: every error becomes one line
            return _report_error(error, state)
        if result != ExitCode.INTERRUPTED:  # typer also returns this code for a KeyboardInterrupt
            return result if isinstance(result, int) else ExitCode.DONE
        _print_error("stopped; finished work is stored, and the same command continues from there")
        return ExitCode.TERMINATED if last_signal() == signal.SIGTERM else ExitCode.INTERRUPTED


def _report_error(error: Exception, state: CommandState) -> ExitCode:
    """Print an error, with `--debug` also its traceback, and return the exit code of its kind."""
    if state.is_debug:
        traceback.print_exception(error)
    code = ExitCode.USER_ERROR
    if isinstance(error, AutosrError):
        message = str(error)
    elif isinstance(error, OSError):  # such as a full disk or a read-only folder
        location = f"{error.filename}: " if error.filename is not None else ""
        message = f"{location}{error.strerror or error}"
    elif (format_message := getattr(error, "format_message", None)) is not None:  # click: a wrong option or argument
        message = format_message()
    else:
        code = ExitCode.INTERNAL_ERROR
        message = f"{type(error).__name__}: {error}; this is a bug in autosr, --debug shows the traceback"
    _print_error(message)
    return code


def _print_error(message: str) -> None:
    typer.echo("autosr: " + " ".join(message.split()), err=True)
