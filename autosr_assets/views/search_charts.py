"""The charts of a search, from the histories of its prompts."""

from autosr_assets.views.charts import calls_chart, held_out_chart, objective_chart, operators_chart
from autosr_lib.evaluation.holdout import HoldoutSummary
from autosr_lib.results.histories import Histories

MAX_OPERATORS = 8
"""Maximum number of operators in a chart."""


def search_charts(histories: Histories, holdout: HoldoutSummary | None) -> dict[str, str]:
    """Return the charts of a search as SVG by name; none if the search has no rubric.

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
        charts["steps_to_the_best"] = operators_chart(histories.steps.most_common(MAX_OPERATORS))
    return charts
