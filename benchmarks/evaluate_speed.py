"""Measures how long it takes to evaluate a rubric from the grade bank: 8 criteria, 16 candidates, 120 pairs.

Run `python -m benchmarks.evaluate_speed`.
"""

import argparse
import statistics
import time

import numpy as np

from autosr_lib.domain.preference import Preference, Verdict
from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank
from autosr_lib.evaluation.reference import PromptPreferences
from autosr_lib.evaluation.settings import Aggregate, HoldoutSettings, JudgeSetting, ObjectiveSettings
from autosr_lib.search.graded_prompt import GradedPrompt
from autosr_lib.search.prepared_prompt import PreparedPrompt
from benchmarks.measuring import describe_machine

CRITERIA, CANDIDATES = 8, 16


def prepared_prompt() -> PreparedPrompt:
    """Return a prompt of 16 ranked candidates with 120 ordered pairs."""
    candidates = tuple(
        Candidate(candidate_id=f"c{n}", text=f"text {n}", source="", metadata={"rank": n + 1})
        for n in range(CANDIDATES)
    )
    pairs = tuple(
        Preference(first=f"c{i}", second=f"c{j}", verdict=Verdict.FIRST)
        for i in range(CANDIDATES)
        for j in range(i + 1, CANDIDATES)
    )
    prompt = Prompt(prompt_id="p", prompt="Explain rain.", candidates=candidates)
    preferences = PromptPreferences(JudgeSetting.RANK, pairs, 0, 0)
    return PreparedPrompt.of(prompt, preferences, HoldoutSettings(holdout_fraction=0), ObjectiveSettings())


def bank_of(criteria: list[Criterion]) -> GradeBank:
    """Return a bank in which every criterion is graded for every candidate."""
    rng = np.random.default_rng(7)
    bank = GradeBank(CANDIDATES, 1).with_criteria(criteria, ("", [""] * CANDIDATES))
    grades = rng.integers(0, 11, (len(criteria), CANDIDATES)) / 10
    return bank.with_entries(
        BankEntry(criterion.key, position, 0, float(grades[row, position]))
        for row, criterion in enumerate(criteria)
        for position in range(CANDIDATES)
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    options = parser.parse_args()
    prepared, rng = prepared_prompt(), np.random.default_rng(3)
    criteria = [Criterion(criterion_id=f"c{n}", text=f"Point {n}.", weight=1) for n in range(4 * CRITERIA)]
    graded = GradedPrompt(bank_of(criteria), prepared, (0,), Aggregate.MEAN)
    print(f"{describe_machine()}; median of {options.rounds} rounds\n")
    print("| rubrics in a batch | CPU microseconds per rubric, median |\n|---|---|")
    for size in (1, 8, 64, 512):
        rubrics = [
            Rubric(
                criteria=tuple(
                    criteria[n].model_copy(update={"weight": float(rng.random() + 0.1)})
                    for n in rng.choice(len(criteria), CRITERIA, replace=False)
                )
            )
            for _ in range(size)
        ]
        times = []
        for _ in range(options.rounds):
            started = time.process_time()
            graded.evaluate(rubrics)
            times.append((time.process_time() - started) / size)
        print(f"| {size} | {1e6 * statistics.median(times):.0f} |")


if __name__ == "__main__":
    main()
