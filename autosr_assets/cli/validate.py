"""The work of `autosr validate`."""

from collections import Counter

from autosr_assets.cli.options.files import ValidateOptions
from autosr_assets.cli.reports import dataset_summary
from autosr_assets.cli.shared import stdout
from autosr_lib.evaluation.reference import choose_judge
from autosr_lib.evaluation.responses import FEWEST_CANDIDATES, needs_responses
from autosr_lib.evaluation.settings import JudgeSetting
from autosr_lib.storage.datasets import DatasetReader


def validate(options: ValidateOptions) -> None:
    """Read a dataset and print its summary.

    Raises:
        DatasetError: the dataset has faults; the message lists them.
    """
    reader = DatasetReader(
        options.dataset,
        skip_invalid=options.skip_invalid,
        min_candidates=0 if options.few_candidates else FEWEST_CANDIDATES,
    )
    references = Counter(
        "response_models, then model" if needs_responses(prompt) else str(choose_judge(prompt, JudgeSetting.AUTO))
        for prompt in reader
    )
    console = stdout()
    console.print(f"{reader.path}: fit for a search", markup=False, soft_wrap=True)
    console.print(dataset_summary(reader.findings, references))
