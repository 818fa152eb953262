"""Grading labelled responses with rubrics, to measure how well the rubrics order them."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NoReturn

import numpy as np

from autosr_lib.domain.prompt import Prompt
from autosr_lib.errors import DatasetError
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.reference import build_reference, choose_judge, gather_preferences
from autosr_lib.evaluation.roles import JudgeRequest
from autosr_lib.evaluation.settings import JudgeSetting, ReferenceSettings
from autosr_lib.results.labelled import (
    CriterionGrades,
    LabelledEvaluation,
    LabelledScores,
    accuracy_by_seen,
    accuracy_by_source,
    criterion_figures,
)
from autosr_lib.reward.rubrics import Rubrics
from autosr_lib.reward.scored import Scored
from autosr_lib.reward.search_export import RubricChoice
from autosr_lib.reward.task_group import gather_or_cancel

MAX_PROMPTS_IN_FLIGHT = 64
"""Prompts whose responses are graded at the same time."""


async def evaluate_on_labels(
    rubrics: Rubrics, prompts: Iterable[Prompt], on_done: Callable[[], None] = lambda: None
) -> LabelledEvaluation:
    """Return the accuracy of rubrics on labelled prompts; prompts without labels or a rubric are listed and left out.

    Args:
        rubrics: grade the candidates of the prompts.
        prompts: the labelled dataset.
        on_done: is called after each prompt.

    Raises:
        DatasetError: no prompt has labels and a rubric.
        EndpointError: the endpoint cannot be used.
        BudgetExhausted: the budget is too small.
    """
    selected, without_rubric, without_labels = list[Prompt](), list[str](), list[str]()
    for prompt in prompts:
        if prompt.prompt_id not in rubrics.export.entries:
            without_rubric.append(prompt.prompt_id)
        elif choose_judge(prompt, JudgeSetting.AUTO) is JudgeSetting.MODEL:
            without_labels.append(prompt.prompt_id)
        else:
            selected.append(prompt)
    if not selected:
        fault = (
            "no prompt of the dataset has both a rubric in the export and labels "
            f"({len(without_rubric)} without a rubric, {len(without_labels)} without labels); "
            "give a dataset with ranks or qualities for the prompts of the export"
        )
        raise DatasetError(rubrics.export.path, [fault])
    semaphore = asyncio.Semaphore(MAX_PROMPTS_IN_FLIGHT)

    async def grade(prompt: Prompt) -> LabelledScores:
        async with semaphore:
            labelled = await _grade_candidates(rubrics, prompt)
        on_done()
        return labelled

    async with rubrics:
        graded = await gather_or_cancel(grade(prompt) for prompt in selected)
    scores = np.concatenate([labelled.scores for labelled in graded])
    return LabelledEvaluation(
        which=str(rubrics.which),
        by_seen=accuracy_by_seen(graded),
        by_source=accuracy_by_source(graded),
        criteria=tuple(figures for labelled in graded for figures in criterion_figures(labelled)),
        responses=len(scores),
        unscored=int(np.isnan(scores).sum()),
        without_rubric=tuple(without_rubric),
        without_labels=tuple(without_labels),
        skew=rubrics.skew,
    )


async def _grade_candidates(rubrics: Rubrics, prompt: Prompt) -> LabelledScores:
    entry = rubrics.entry(prompt.prompt_id)
    # The weights of the rubric to use were fitted on the hidden candidates too: its search saw all candidates.
    hidden = frozenset[str]() if rubrics.which is RubricChoice.RUBRIC else entry.hidden_candidates
    seen = entry.candidate_scores.keys() - hidden
    preferences = await gather_preferences(prompt, ReferenceSettings(), _NoJudge())
    scored = await rubrics.score_batch((prompt.prompt_id, candidate.text) for candidate in prompt.candidates)
    return LabelledScores(
        prompt_id=prompt.prompt_id,
        sources=[candidate.source for candidate in prompt.candidates],
        reference=build_reference(prompt.candidates, preferences),
        is_seen=np.array([candidate.candidate_id in seen for candidate in prompt.candidates]),
        scores=_to_array([response.score for response in scored]),
        criteria=_grades_by_criterion(scored),
        objective=rubrics.export.settings.objective,
    )


class _NoJudge:
    """The judge of prompts with labels, which is never asked."""

    async def prefer(self, request: JudgeRequest) -> NoReturn:
        raise AssertionError(f"prompt {request.prompt_id!r} has labels")


def _grades_by_criterion(scored: Sequence[Scored]) -> list[CriterionGrades]:
    """Return the criteria of a rubric, with the grades of all responses."""
    by_criterion = zip(*(response.grades for response in scored), strict=True)
    return [
        CriterionGrades(
            criterion_id=grades[0].criterion_id,
            text=grades[0].text,
            weight=grades[0].weight,
            is_measured=grades[0].measure is not None,
            grades=_to_array([grade.grade for grade in grades]),
            votes=[grade.votes for grade in grades],
        )
        for grades in by_criterion
    ]


def _to_array(values: Sequence[float | None]) -> FloatArray:
    """Return the values, NaN for None."""
    return np.array([np.nan if value is None else value for value in values], dtype=float)
