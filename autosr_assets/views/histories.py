"""How a whole search went: objective and calls by generation, and what made the best rubrics."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from autosr_assets.views.charts import calls_chart, held_out_chart, objective_chart, operators_chart
from autosr_lib.evaluation.holdout import HoldoutSummary
from autosr_lib.storage.rows import Row
from autosr_lib.storage.tables import Status

FEWEST_FOR_BAND = 4
"""Prompts from which on a band shows the middle half of them."""
MOST_OPERATORS = 8


@dataclass
class Histories:
    """What the charts add up over the prompts, a row at a time."""

    best: list[list[float]] = field(default_factory=list)
    """By generation, each prompt's best objective; a search that ended keeps its last."""
    mean: list[list[float]] = field(default_factory=list)
    calls: Counter[int] = field(default_factory=Counter)
    wins: Counter[str] = field(default_factory=Counter)
    """Steps by operator on the ways to the best rubrics."""
    _lasts: list[tuple[int, float, float]] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Count one row of the table of best rubrics."""
        if row["status"] == Status.FAILED:
            return
        history = row["history"]
        for generation, one in enumerate(history):
            if generation == len(self.best):
                self.best.append([before[1] for before in self._lasts])
                self.mean.append([before[2] for before in self._lasts])
            self.best[generation].append(one["best"])
            self.mean[generation].append(one["mean"])
            self.calls[generation] += one["calls"]
        last = history[-1]
        for generation in range(len(history), len(self.best)):
            self.best[generation].append(last["best"])
            self.mean[generation].append(last["mean"])
        self._lasts.append((len(history), last["best"], last["mean"]))
        self.wins.update(step["operator"] for step in row["lineage"] if step["gain"] is not None)

    def watched(self, rows: Iterable[Row]) -> Iterable[Row]:
        """Yield the rows on, counting them."""
        for row in rows:
            self.add(row)
            yield row

    def charts(self, holdout: HoldoutSummary | None) -> dict[str, str]:
        """Return the charts of the whole search, as SVG by name; none of a search without a rubric."""
        if not self.best:
            return {}
        band = None
        if len(self.best[0]) >= FEWEST_FOR_BAND:
            band = [_quantile(of_one, 0.25) for of_one in self.best], [_quantile(of_one, 0.75) for of_one in self.best]
        charts = {
            "objective_by_generation": objective_chart(_means(self.best), _means(self.mean), band),
            "calls_by_generation": calls_chart([self.calls[k] for k in range(len(self.best))]),
        }
        if holdout is not None:
            charts["held_out_accuracy"] = held_out_chart(holdout)
        if self.wins:
            charts["steps_to_the_best"] = operators_chart(self.wins.most_common(MOST_OPERATORS))
        return charts


def _means(by_generation: Sequence[Sequence[float]]) -> list[float]:
    return [fmean(of_one) for of_one in by_generation]


def _quantile(values: Sequence[float], share: float) -> float:
    return sorted(values)[round(share * (len(values) - 1))]
