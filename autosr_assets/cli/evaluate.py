"""The work of `autosr eval`."""

import asyncio
import json

import typer

from autosr_assets.cli.grading import load_rubrics
from autosr_assets.cli.options.grading import EvalOptions
from autosr_assets.cli.progress_bars import progress_bar
from autosr_assets.cli.shared import stdout
from autosr_assets.views.evaluation_report import evaluation_view, write_html
from autosr_lib.reward.evaluate import evaluate_on_labels
from autosr_lib.storage.datasets import read_dataset


def evaluate(options: EvalOptions) -> None:
    """Measure rubrics on labelled responses and print the figures.

    Raises:
        DatasetError: the dataset has faults.
        SettingsError: the rubrics cannot be used.
    """
    dataset = read_dataset(str(options.dataset))
    rubrics = load_rubrics(options)
    with progress_bar(len(dataset.prompts), "prompts") as advance:
        evaluation = asyncio.run(evaluate_on_labels(rubrics, dataset.prompts, advance))
    if options.html is not None:
        write_html(options.html, evaluation, rubrics=str(options.rubrics), dataset=str(options.dataset))
    if options.as_json:
        typer.echo(json.dumps(evaluation.as_json(), ensure_ascii=False, allow_nan=False))
    else:
        stdout().print(evaluation_view(evaluation))
