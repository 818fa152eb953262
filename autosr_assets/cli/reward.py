"""The commands that put rubrics to work: `score`, `serve`, `eval` and `rubrics export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from autosr_assets.cli.grading_options import Grading, Which, with_grading
from autosr_assets.cli.shared import SOME_FAILED, Debug, stdout
from autosr_lib.errors import SettingsError

if TYPE_CHECKING:
    from autosr_lib.reward.scoring_run import Outcome

app = typer.Typer(rich_markup_mode="rich")
rubrics_app = typer.Typer(rich_markup_mode="rich")

TOKEN = "AUTOSR_SERVE_TOKEN"  # noqa: S105 - the name of the variable

RubricsFile = Annotated[Path, typer.Argument(metavar="RUBRICS", help="The JSON that `autosr search` wrote.")]


@app.command()
@with_grading
def score(
    rubrics: RubricsFile,
    responses: Annotated[
        Path,
        typer.Argument(help="JSON Lines, CSV or Parquet with prompt_id, response and whatever else is to be kept."),
    ],
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; by default beside the input, as NAME.scored.EXT.")
    ] = None,
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", metavar="", help="Leave rows without a score whose prompt has no rubric.")
    ] = False,
    grading: Grading,
    _debug: Debug = False,
) -> None:
    """Score responses by the rubrics of a search; what is scored already is not asked again."""
    from autosr_lib.reward.responses import check_suffix, read_responses  # noqa: PLC0415
    from autosr_lib.reward.scoring_run import ScoringRun  # noqa: PLC0415

    target = output or responses.with_name(f"{responses.stem}.scored{responses.suffix}")
    if target.absolute() == responses.absolute():
        raise SettingsError(f"output is {target}, which is the input; give another file")
    check_suffix(target)
    loaded = grading.load(rubrics)
    rows = read_responses(responses)
    with _bar(len(rows)) as advance:
        outcome = ScoringRun(loaded, rows, target, advance, skip_unknown=skip_unknown).run()
    _print_outcome(outcome, target, loaded.skew)
    if outcome.left:
        raise typer.Exit(SOME_FAILED)


@app.command("eval")
@with_grading
def evaluate(
    rubrics: RubricsFile,
    dataset: Annotated[
        Path, typer.Argument(help="Labelled prompts: JSON, JSON Lines, CSV or Parquet, as for a search.")
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON, with all criteria.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Also write one HTML file.")] = None,
    grading: Grading,
    _debug: Debug = False,
) -> None:
    """Measure rubrics on labelled responses; pairs that the search saw are never mixed with those that it did not."""
    import asyncio  # noqa: PLC0415
    import json  # noqa: PLC0415

    from autosr_assets.views.evaluation_report import evaluation_view, write_html  # noqa: PLC0415
    from autosr_lib.reward.labelled import evaluate_rubrics  # noqa: PLC0415
    from autosr_lib.storage.datasets import read_dataset  # noqa: PLC0415

    known = read_dataset(str(dataset))
    loaded = grading.load(rubrics)
    with _bar(len(known.prompts), "prompts") as advance:
        found = asyncio.run(evaluate_rubrics(loaded, known.prompts, advance))
    if html is not None:
        write_html(html, found, rubrics=str(rubrics), dataset=str(dataset))
    if as_json:
        typer.echo(json.dumps(found.as_json(), ensure_ascii=False, allow_nan=False))
    else:
        stdout().print(evaluation_view(found))


@app.command()
@with_grading
def serve(
    rubrics: RubricsFile,
    *,
    host: Annotated[
        str, typer.Option(help="Address to listen at; beyond this machine a token is needed.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at.", min=0, max=65535)] = 8090,
    max_concurrent: Annotated[int, typer.Option(help="Most requests under way; one more gets 429.", min=1)] = 64,
    max_batch: Annotated[int, typer.Option(help="Most responses in one batch.", min=1)] = 64,
    max_body_bytes: Annotated[int, typer.Option(help="Largest body; a larger one gets 413.", min=1024)] = 4 * 2**20,
    grading: Grading,
    _debug: Debug = False,
) -> None:
    """Serve scores over HTTP: /score, /batch_score, /rubrics, /healthz, /metrics, and what they are at /docs.

    Requests bear the token of the environment variable AUTOSR_SERVE_TOKEN; only a server that listens to this machine
    alone may do without.
    """
    try:
        from autosr_assets.cli.serving import run_server  # noqa: PLC0415
        from autosr_lib.reward.server import ServeSettings  # noqa: PLC0415
    except ImportError as error:
        raise SettingsError(
            f"{error.name} is not installed; autosr serve needs it: pip install 'autosr[serve]'"
        ) from error

    limits = ServeSettings(max_concurrent=max_concurrent, max_batch=max_batch, max_body_bytes=max_body_bytes)
    loaded = grading.load(rubrics)
    run_server(loaded, limits, host, port)


@rubrics_app.callback()
def rubrics_group() -> None:
    """Make a group of the one command, so that others may come."""


@rubrics_app.command("export")
def export_rubrics(
    rubrics: RubricsFile,
    target: Annotated[Path, typer.Argument(help="A .jsonl file for points, a folder for verifiers.")],
    *,
    shape: Annotated[
        str,
        typer.Option(
            help="points (criterion, points: HealthBench, Rubrics as Rewards) or verifiers (v1, a file a prompt)."
        ),
    ] = "points",
    which: Which = "rubric",
    _debug: Debug = False,
) -> None:
    """Write rubrics in the shapes that others read."""
    from autosr_lib.reward.exported import read_export  # noqa: PLC0415
    from autosr_lib.reward.rubrics import known_which  # noqa: PLC0415
    from autosr_lib.reward.shapes import Shape, write_shape  # noqa: PLC0415

    if shape not in set(Shape):
        raise SettingsError(f"shape is {shape!r}; must be one of {', '.join(Shape)}")
    count = write_shape(read_export(str(rubrics)), known_which(which), Shape(shape), target)
    typer.echo(f"{count} rubrics are in {target}")


def _bar(rows: int, what: str = "responses") -> Any:
    """Return a progress bar that is told of every one that is done."""
    from contextlib import contextmanager  # noqa: PLC0415

    from rich.console import Console  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    @contextmanager
    def bar() -> Any:
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as shown:
            task = shown.add_task(what, total=rows)
            yield lambda: shown.advance(task)

    return bar()


def _print_outcome(outcome: "Outcome", target: Path, skew: str | None) -> None:
    console = stdout()
    said = [f"{outcome.rows - outcome.left - outcome.skipped} of {outcome.rows} rows are scored"]
    said += [f"{outcome.asked} responses graded now", f"{outcome.known} before"]
    if outcome.unscored:
        said.append(f"{outcome.unscored} unscored, and asked again next time")
    if outcome.skipped:
        said.append(f"{outcome.skipped} skipped, whose prompt has no rubric")
    console.print("; ".join(said), markup=False, soft_wrap=True)
    if outcome.left:
        console.print(
            f"{outcome.left} rows were not asked: {outcome.ended_by}; the same command goes on from there",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    if skew is not None:
        console.print(f"otherwise than in the search: {skew}", markup=False, soft_wrap=True, style="dim")
    console.print(f"output: {target}", markup=False, soft_wrap=True)
