"""The work of `autosr validate`."""

from collections import Counter
from collections.abc import Mapping

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from autosr_assets.cli.options.files import ValidateOptions
from autosr_assets.cli.shared import stdout
from autosr_assets.cli.tables import plain_table
from autosr_lib.domain.wording import plural
from autosr_lib.evaluation.reference import choose_judge
from autosr_lib.evaluation.responses import MIN_CANDIDATES, needs_responses
from autosr_lib.evaluation.settings import JudgeSetting
from autosr_lib.storage.datasets import DatasetFindings, DatasetReader


def validate(options: ValidateOptions) -> None:
    """Read a dataset, and print a summary with its faults and warnings.

    Raises:
        DatasetError: the dataset cannot be searched; the message lists its faults.
    """
    reader = DatasetReader(
        options.dataset,
        skip_invalid=options.skip_invalid,
        min_candidates=0 if options.few_candidates else MIN_CANDIDATES,
    )
    references = Counter(
        "response_models, then model" if needs_responses(prompt) else str(choose_judge(prompt, JudgeSetting.AUTO))
        for prompt in reader
    )
    console = stdout()
    console.print(f"{reader.path}: can be searched", markup=False, soft_wrap=True)
    console.print(_summary(reader.findings, references))


def _summary(findings: DatasetFindings, references: Mapping[str, int]) -> RenderableType:
    """Return the contents of a dataset, with its faults and warnings.

    Args:
        findings: of the reader.
        references: number of prompts by the source of their preferences.
    """
    table = plain_table()
    table.add_row("prompts", str(findings.prompts))
    table.add_row(
        "candidates", f"{findings.candidates} ({findings.fewest_candidates} to {findings.most_candidates} per prompt)"
    )
    table.add_row("sources", str(len(findings.sources)) if findings.sources else "not given")
    table.add_row("reference", ", ".join(f"{name}: {plural(count, 'prompt')}" for name, count in references.items()))
    table.add_row("rejected", str(len(findings.rejected)))
    notes = [("fault", line) for line in findings.faults] + [("warning", line) for line in findings.warnings]
    lines = [Padding(Text(f"{kind}: {line}"), (0, 0, 0, 2)) for kind, line in notes]
    return Group(table, *lines)
