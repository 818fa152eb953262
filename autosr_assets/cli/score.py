"""The work of `autosr score`."""

from pathlib import Path

import typer

from autosr_assets.cli.exit_codes import ExitCode
from autosr_assets.cli.grading import load_rubrics
from autosr_assets.cli.options.grading import ScoreOptions
from autosr_assets.cli.progress_bars import progress_bar
from autosr_assets.cli.shared import stdout
from autosr_lib.domain.wording import plural
from autosr_lib.errors import SettingsError
from autosr_lib.reward.responses import read_responses
from autosr_lib.reward.scoring_run import ScoringOutcome, ScoringRun
from autosr_lib.storage.row_files import check_row_suffix


def score(options: ScoreOptions) -> None:
    """Score the responses in a file, and write them with their scores to another file.

    Raises:
        SettingsError: the output file is the input file, or a file or an option cannot be used.
        Exit: some responses were not graded.
    """
    responses = options.responses
    target = options.output or responses.with_name(f"{responses.stem}.scored{responses.suffix}")
    if target.absolute() == responses.absolute():
        raise SettingsError(f"output is {target}, which is also the input; give another file")
    check_row_suffix(target)
    rubrics = load_rubrics(options)
    rows = read_responses(responses)
    with progress_bar(len(rows), "responses") as advance:
        outcome = ScoringRun(rubrics, rows, target, advance, skip_unknown=options.skip_unknown).run()
    _print_outcome(outcome, target, rubrics.skew)
    if outcome.not_graded:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _print_outcome(outcome: ScoringOutcome, target: Path, skew: str | None) -> None:
    console = stdout()
    counts = [f"{outcome.rows - outcome.not_graded - outcome.skipped} of {outcome.rows} rows are scored"]
    counts += [f"{plural(outcome.graded, 'response')} graded now", f"{outcome.reused} before"]
    if outcome.unscored:
        counts.append(f"{outcome.unscored} unscored, to be graded again by the next run")
    if outcome.skipped:
        counts.append(f"{outcome.skipped} skipped because their prompt has no rubric")
    console.print("; ".join(counts), markup=False, soft_wrap=True)
    if outcome.not_graded:
        console.print(
            f"{plural(outcome.not_graded, 'row')} not graded: {outcome.stopped_by}; run the same command again to continue",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    if skew is not None:
        console.print(f"different from the search: {skew}", markup=False, soft_wrap=True, style="dim")
    console.print(f"output: {target}", markup=False, soft_wrap=True)
