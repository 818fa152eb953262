"""Measures on human-labelled datasets whether searched rubrics order hidden responses.

Every prompt is searched offline several times, each time with different candidates hidden. Both held-out figures (pairs of
two hidden candidates, and pairs that touch one) are also measured with the labels shuffled inside each prompt: a gain
there comes from remembering labels, not from recognising quality.

Run `python -m benchmarks.human_labels DATASET.json …`.
"""

import argparse
import asyncio
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path

from autosr_lib.domain.prompt import Prompt
from autosr_lib.evaluation.holdout import HoldoutCount, PairSummary, summarise_holdout
from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.search.context import SearchContext
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.settings import SearchSettings, Structure
from autosr_lib.storage.datasets import read_dataset
from tests.worlds import search_prompt

SEED = 7


def with_shuffled_labels(prompt: Prompt) -> Prompt:
    """Return the prompt with its labels shuffled among its candidates."""
    labels = [candidate.metadata for candidate in prompt.candidates]
    random.Random(f"{SEED} {prompt.prompt_id}").shuffle(labels)
    relabelled = zip(prompt.candidates, labels, strict=True)
    return prompt.model_copy(update={"candidates": tuple(c.model_copy(update={"metadata": m}) for c, m in relabelled)})


def search(path: str, fraction: float, seed: int, *, is_shuffled: bool) -> list[HoldoutCount]:
    """Return the held-out pairs of every prompt, with the credit of the initial and the best rubric."""
    return asyncio.run(_search(path, HoldoutSettings(holdout_fraction=fraction, holdout_seed=seed), is_shuffled))


async def _search(path: str, holdout: HoldoutSettings, is_shuffled: bool) -> list[HoldoutCount]:
    roles, settings, counts = heuristic_roles(SEED), SearchSettings(), []
    for labelled in read_dataset(path).prompts:
        prompt = with_shuffled_labels(labelled) if is_shuffled else labelled
        preferences = await gather_preferences(prompt, ReferenceSettings(), roles.judge)
        prepared = PreparedPrompt.of(prompt, preferences, holdout, settings.objective)
        _, conclusion = await search_prompt(SearchContext(prepared, roles, settings, Structure()))
        counts.append(conclusion.holdout)
    return counts


def table_row(name: str, fraction: float, labels: str, counts: Sequence[HoldoutCount]) -> str:
    """Return a row of the table."""
    summary = summarise_holdout(counts)
    if summary is None:
        return f"| {name} | {fraction:.0%} | {labels} | nothing is held out | | | |"

    def cells(pairs: PairSummary | None) -> str:
        return (
            "none | "
            if pairs is None
            else f"{pairs.initial.value:.1%} → {pairs.best.value:.1%} | {pairs.gain.in_points}"
        )

    return (
        f"| {name} | {fraction:.0%} | {labels} | {cells(summary.unseen)} | {cells(summary.touching)} "
        f"| {summary.remembered:.1%} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--fractions", type=float, nargs="+", default=[0.25, 0.5])
    parser.add_argument("--seeds", type=int, nargs="+", default=[7, 8, 9])
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    print("| dataset | hidden | labels | unseen pairs | gain | pairs touching a hidden one | gain | labels alone |")
    print("|---|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor(options.processes) as pool:
        for path, fraction, is_shuffled in product(options.datasets, options.fractions, (False, True)):
            runs = [pool.submit(search, path, fraction, seed, is_shuffled=is_shuffled) for seed in options.seeds]
            # The bootstrap treats several runs of one prompt as independent, so the intervals are slightly too narrow.
            counts = [count for run in runs for count in run.result()]
            print(table_row(Path(path).stem, fraction, "shuffled" if is_shuffled else "true", counts), flush=True)


if __name__ == "__main__":
    main()
