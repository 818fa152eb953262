"""The charts of a complete search, from what its prompts' histories add up to."""

from autosr_assets.views.charts import calls_chart, held_out_chart, objective_chart, operators_chart
from autosr_lib.evaluation.holdout import HoldoutSummary
from autosr_lib.results.histories import Histories

MOST_OPERATORS = 8


def search_charts(histories: Histories, holdout: HoldoutSummary | None) -> dict[str, str]:
    """Return the charts of a search as SVG by name; a search without a rubric has none.

    >>> search_charts(Histories(), None)
    {}
    """
    if not histories.best:
        return {}
    charts = {
        "objective_by_generation": objective_chart(histories.mean_best, histories.mean_of_populations, histories.band),
        "calls_by_generation": calls_chart(histories.calls_by_generation),
    }
    if holdout is not None:
        charts["held_out_accuracy"] = held_out_chart(holdout)
    if histories.steps:
        charts["steps_to_the_best"] = operators_chart(histories.steps.most_common(MOST_OPERATORS))
    return charts
