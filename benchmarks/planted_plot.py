"""Plots true tail accuracy against calls."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

TARGET_CALLS = 120
TARGET_SHARE = 0.95
INK, MUTED, OURS, OTHERS = "#222222", "#8a8a8a", "#0b6e4f", "#c8553d"


def plot(points: Sequence[tuple[str, float, list[float], bool]], fit: float, title: str, path: Path) -> None:
    """Draw one point per search configuration with its standard error over worlds, and free yardsticks as lines.

    Args:
        points: (name, mean calls, accuracy by world, whether it is a yardstick).
        fit: the accuracy that the target is relative to.
        title: shown above the plot.
        path: of the PNG.
    """
    figure, axes = plt.subplots(figsize=(10.5, 6), layout="constrained")
    axes.axhspan(TARGET_SHARE * fit, 1, xmax=1, color="#e9f3ee", zorder=0)
    axes.axvline(TARGET_CALLS, color=MUTED, linewidth=0.8, linestyle=":", zorder=1)
    numbered: list[str] = []
    for name, calls, accuracy, is_baseline in points:
        mean, error = float(np.mean(accuracy)), float(np.std(accuracy) / np.sqrt(len(accuracy)))
        if not calls:
            axes.axhline(mean, color=MUTED, linewidth=0.8, linestyle="--", zorder=1)
            note = f"{name} {mean:.2f}"
            axes.annotate(note, (1, mean), xycoords=("axes fraction", "data"), ha="right", va="bottom", color=MUTED)
            continue
        colour = MUTED if is_baseline else OURS if name.startswith("ours") else OTHERS
        numbered.append(f"{len(numbered) + 1:>2}  {name}")
        axes.errorbar(calls, mean, yerr=error, fmt="o", markersize=8, color=colour, elinewidth=1, zorder=3)
        axes.annotate(
            str(len(numbered)), (calls, mean), xytext=(6, 5), textcoords="offset points", color=INK, fontsize=8
        )
    axes.set_xscale("symlog", linthresh=10)
    ticks = [1, 10, 30, 60, 120, 240, 500, 1000, 5000]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    lowest = min(float(np.mean(accuracy)) for _, _, accuracy, _ in points)
    highest = max(float(np.mean(accuracy)) for _, _, accuracy, _ in points)
    axes.set_ylim(lowest - 0.04, highest + 0.04)
    axes.set_xlim(0.7, 1.5 * max(calls for _, calls, _, _ in points))
    axes.set_xlabel("calls per prompt (mean)")
    axes.set_ylabel("true tail accuracy on fresh candidates")
    axes.set_title(
        f"{title}\nshaded: at least {TARGET_SHARE:.0%} of the fit over all attributes", loc="left", fontsize=11
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.text(1.01, 0.5, "\n".join(numbered), va="center", family="monospace", fontsize=8, color=INK)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    plt.close(figure)
