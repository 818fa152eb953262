"""The work of `autosr score`."""

from pathlib import Path

import typer

from autosr_assets.cli.exit_codes import ExitCode
from autosr_assets.cli.grading import load_rubrics, progress_bar
from autosr_assets.cli.options.grading import ScoreOptions
from autosr_assets.cli.shared import stdout
from autosr_lib.errors import SettingsError
from autosr_lib.reward.responses import check_suffix, read_responses
from autosr_lib.reward.scoring_run import Outcome, ScoringRun


def score(options: ScoreOptions) -> None:
    """Score the responses of a file, and write them with their scores to another one.

    Raises:
        SettingsError: the output is the input, or a file or an option cannot be used.
        Exit: some responses were not graded.
    """
    responses = options.responses
    target = options.output or responses.with_name(f"{responses.stem}.scored{responses.suffix}")
    if target.absolute() == responses.absolute():
        raise SettingsError(f"output is {target}, which is the input; give another file")
    check_suffix(target)
    rubrics = load_rubrics(options)
    rows = read_responses(responses)
    with progress_bar(len(rows), "responses") as advance:
        outcome = ScoringRun(rubrics, rows, target, advance, skip_unknown=options.skip_unknown).run()
    _print_outcome(outcome, target, rubrics.skew)
    if outcome.left:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _print_outcome(outcome: Outcome, target: Path, skew: str | None) -> None:
    console = stdout()
    counts = [f"{outcome.rows - outcome.left - outcome.skipped} of {outcome.rows} rows are scored"]
    counts += [f"{outcome.asked} responses graded now", f"{outcome.known} before"]
    if outcome.unscored:
        counts.append(f"{outcome.unscored} unscored, and asked again next time")
    if outcome.skipped:
        counts.append(f"{outcome.skipped} skipped, whose prompt has no rubric")
    console.print("; ".join(counts), markup=False, soft_wrap=True)
    if outcome.left:
        console.print(
            f"{outcome.left} rows were not asked: {outcome.ended_by}; the same command goes on from there",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    if skew is not None:
        console.print(f"different from the search: {skew}", markup=False, soft_wrap=True, style="dim")
    console.print(f"output: {target}", markup=False, soft_wrap=True)
