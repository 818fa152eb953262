"""Pictures of a whole search for the metadata of its export: PNG images in markdown."""

import base64
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from autosr_lib.evaluation.holdout import HoldoutSummary, Interval
from autosr_lib.storage.rows import Row
from autosr_lib.storage.tables import Status

INK = "#7d8590"
"""A grey that can be read on white and on near-black; the pictures have no ground of their own."""
BLUE, ORANGE, GREEN = "#2f81f7", "#db7b2b", "#2da44e"
FEWEST_FOR_BAND = 4
"""Prompts from which on a band shows the middle half of them."""


@dataclass
class Histories:
    """What the pictures add up over the prompts, a row at a time."""

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


def search_markdown(histories: Histories, holdout: HoldoutSummary | None) -> str:
    """Return the pictures of a search as one image in markdown."""
    if not histories.best:
        return "No prompt has a history yet."
    image = base64.b64encode(search_png(histories, holdout)).decode()
    return f"![objective and calls by generation, held-out accuracy, operators](data:image/png;base64,{image})"


def search_png(histories: Histories, holdout: HoldoutSummary | None) -> bytes:
    """Return objective and calls by generation, held-out accuracy before and after, and what made the best rubrics."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import, and only an export needs it

    figure = Figure(figsize=(10.5, 6.2), dpi=100, layout="tight")
    figure.set_facecolor("none")
    (objective, calls), (held_out, operators) = figure.subplots(2, 2)
    _draw_objective(objective, histories)
    _draw_calls(calls, histories)
    _draw_held_out(held_out, holdout)
    _draw_operators(operators, histories.wins)
    for axes, lines in ((objective, "both"), (calls, "y"), (held_out, "x"), (operators, "x")):
        _style(axes, lines)
    out = io.BytesIO()
    figure.savefig(out, format="png", transparent=True)
    return out.getvalue()


def _draw_objective(axes: Any, histories: Histories) -> None:
    import numpy as np  # noqa: PLC0415

    generations = range(len(histories.best))
    for values, colour, style, label in (
        (histories.mean, ORANGE, "--", "mean of the population"),
        (histories.best, BLUE, "-", "best"),
    ):
        axes.plot(
            generations,
            [np.mean(of_one) for of_one in values],
            style,
            color=colour,
            lw=2,
            marker="o",
            ms=4,
            label=label,
        )
    if len(histories.best[0]) >= FEWEST_FOR_BAND:
        low, high = np.quantile(np.array(histories.best), [0.25, 0.75], axis=1)
        axes.fill_between(generations, low, high, color=BLUE, alpha=0.15, lw=0, label="best, middle half of prompts")
    axes.set_title(f"Objective, mean of {len(histories.best[0])} prompts")
    _by_generation(axes, len(histories.best))
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc="lower right")


def _draw_calls(axes: Any, histories: Histories) -> None:
    generations = range(len(histories.best))
    axes.bar(generations, [histories.calls[k] for k in generations], color=BLUE, alpha=0.8, width=0.6)
    axes.set_title(f"Calls, {sum(histories.calls.values()):,} in all")
    _by_generation(axes, len(histories.best))
    axes.yaxis.get_major_locator().set_params(integer=True)


def _draw_held_out(axes: Any, holdout: HoldoutSummary | None) -> None:
    axes.set_title("Held-out accuracy, first rubric and best, 95% interval")
    if holdout is None:
        axes.text(0.5, 0.5, "nothing was held out", color=INK, ha="center", va="center", transform=axes.transAxes)
        axes.set(xticks=[], yticks=[])
        return
    groups = [(f"pairs that touch\na hidden candidate\n({holdout.touching.pairs})", holdout.touching)]
    if holdout.unseen is not None:
        groups.append((f"pairs of two\nhidden candidates\n({holdout.unseen.pairs})", holdout.unseen))
    for place, (_, summary) in enumerate(reversed(groups)):
        _interval(axes, place + 0.14, summary.initial, ORANGE, "first rubric" if place == 0 else None)
        _interval(axes, place - 0.14, summary.best, GREEN, "best rubric" if place == 0 else None)
    axes.axvline(0.5, color=INK, lw=1, ls=":", alpha=0.7)
    axes.set_yticks(range(len(groups)), [label for label, _ in reversed(groups)])
    axes.set_ylim(-0.6, len(groups) - 0.4)
    axes.set_xlim(0, 1.04)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(frameon=False, labelcolor=INK, fontsize=9, loc="upper left")


def _interval(axes: Any, place: float, figure: Interval, colour: str, label: str | None) -> None:
    spread = [[figure.value - figure.low], [figure.high - figure.value]]
    axes.errorbar([figure.value], [place], xerr=spread, fmt="o", ms=7, color=colour, lw=2, capsize=4, label=label)
    axes.annotate(
        f"{figure.value:.0%}",
        (figure.value, place),
        (0, 7),
        textcoords="offset points",
        ha="center",
        color=INK,
        fontsize=9,
    )


def _draw_operators(axes: Any, wins: Counter[str]) -> None:
    axes.set_title("Steps on the way to the best rubrics")
    if not wins:
        axes.text(
            0.5, 0.5, "no step got better than the first rubric", color=INK, ha="center", transform=axes.transAxes
        )
        axes.set(xticks=[], yticks=[])
        return
    names: Sequence[tuple[str, int]] = wins.most_common(8)[::-1]
    bars = axes.barh([name for name, _ in names], [count for _, count in names], color=GREEN, alpha=0.8, height=0.6)
    axes.bar_label(bars, padding=4, color=INK, fontsize=9)
    axes.set_ylim(len(names) - max(len(names), 4) - 0.6, len(names) - 0.4)  # a lone bar stays a bar, on top
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.margins(x=0.12)


def _by_generation(axes: Any, count: int) -> None:
    axes.set_xlabel("generation")
    axes.set_xticks(range(0, count, -(-count // 14)))


def _style(axes: Any, lines: str) -> None:
    axes.set_facecolor("none")
    axes.title.set(color=INK, fontsize=11, fontweight="bold")
    axes.xaxis.label.set_color(INK)
    axes.tick_params(colors=INK, labelsize=9, length=0)
    axes.grid(visible=True, axis=lines, color=INK, alpha=0.2, lw=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
