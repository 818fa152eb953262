"""A prompt's history as a small SVG: drawn by hand, since a plot of matplotlib costs a tenth of a second a prompt."""

import base64
from collections.abc import Sequence
from html import escape

from autosr_lib.evaluation.holdout import OWN_FIGURE
from autosr_lib.storage.rows import Row

INK = "#7d8590"
"""A grey that can be read on white and on near-black; the image has no ground of its own."""
BLUE, ORANGE, GREEN = "#2f81f7", "#db7b2b", "#2da44e"
_TOP, _BOTTOM = 34.0, 150.0
_NAMED_TICKS = 8


def history_markdown(row: Row) -> str:
    """Return a prompt's history as an image in markdown; a few kB, since the event log keeps one a prompt."""
    image = base64.b64encode(history_svg(row).encode()).decode()
    return f"![best and mean objective, and calls, by generation](data:image/svg+xml;base64,{image})"


def history_svg(row: Row) -> str:
    """Return the objective and the calls of each generation, and the held-out accuracy of the first and best rubric."""
    history = row["history"]
    parts = [_objective(history, 44, 330), _calls(history, 392, 560)]
    width = 580
    # On few pairs a prompt's own figure says next to nothing, and would be quoted all the same (METHOD §5).
    if len(row["candidate_scores"]) >= OWN_FIGURE and row["holdout_pairs"]:
        parts.append(_held_out(row, 626, 740))
        width = 760
    body = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="184" viewBox="0 0 {width} 184" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="11" fill="{INK}">{body}</svg>'
    )


def _objective(history: Sequence[Row], left: float, right: float) -> str:
    values: list[float] = [one[name] for one in history for name in ("best", "mean")]
    low, high = min(values), max(values)
    pad = (high - low) * 0.08 or 0.05
    low, high = low - pad, high + pad

    def at(value: float) -> float:
        return _BOTTOM - (value - low) / (high - low) * (_BOTTOM - _TOP)

    xs = _places(len(history), left + 8, right - 8)
    lines = []
    for name, colour, dash in (("mean", ORANGE, ' stroke-dasharray="5 3"'), ("best", BLUE, "")):
        points = [(x, at(one[name])) for x, one in zip(xs, history, strict=True)]
        told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        lines.append(f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>')
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in points]
    scale = [_level(at(value), f"{value:.3f}", left, right) for value in (low + pad, high - pad)]
    legend = _text(right - 84, 16, "● best", BLUE) + _text(right - 38, 16, "● mean", ORANGE)
    return _text(left, 16, "objective", INK, bold=True) + legend + "".join(scale + lines) + _generations(xs)


def _calls(history: Sequence[Row], left: float, right: float) -> str:
    most = max([1, *(one["calls"] for one in history)])
    xs = _places(len(history), left + 12, right - 12)
    width = min(22.0, (right - left) / len(history) * 0.6)
    bars = []
    for x, one in zip(xs, history, strict=True):
        height = one["calls"] / most * (_BOTTOM - _TOP)
        bars.append(
            f'<rect x="{x - width / 2:.1f}" y="{_BOTTOM - height:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'rx="1.5" fill="{BLUE}" fill-opacity=".75"/>'
        )
    scale = _level(_TOP, str(most), left, right) + _level(_BOTTOM, "0", left, right)
    return _text(left, 16, "calls", INK, bold=True) + scale + "".join(bars) + _generations(xs)


def _held_out(row: Row, left: float, right: float) -> str:
    parts = [_text(left, 16, f"held out ({row['holdout_pairs']} pairs)", INK, bold=True)]
    parts += [_level(_TOP, "100%", left, right), _level(_BOTTOM, "0%", left, right)]
    columns = (("first", row["holdout_initial"], ORANGE), ("best", row["holdout_best"], GREEN))
    for x, (name, credit, colour) in zip(_places(2, left + 30, right - 30), columns, strict=True):
        share = credit / row["holdout_pairs"]
        height = share * (_BOTTOM - _TOP)
        parts.append(
            f'<rect x="{x - 16:.1f}" y="{_BOTTOM - height:.1f}" width="32" height="{height:.1f}" rx="1.5" '
            f'fill="{colour}" fill-opacity=".8"/>'
        )
        inside = _BOTTOM - height + 14 if share > 0.2 else _BOTTOM - height - 4
        parts.append(_text(x, inside, f"{share:.0%}", "#ffffff" if share > 0.2 else INK, anchor="middle", bold=True))
        parts.append(_text(x, _BOTTOM + 16, name, INK, anchor="middle"))
    return "".join(parts)


def _places(count: int, left: float, right: float) -> list[float]:
    if count == 1:
        return [(left + right) / 2]
    return [left + (right - left) * place / (count - 1) for place in range(count)]


def _generations(xs: Sequence[float]) -> str:
    every = -(-len(xs) // _NAMED_TICKS)
    told = [_text(x, _BOTTOM + 16, str(k), INK, anchor="middle") for k, x in enumerate(xs) if k % every == 0]
    return "".join(told) + _text((xs[0] + xs[-1]) / 2, _BOTTOM + 30, "generation", INK, anchor="middle")


def _level(y: float, label: str, left: float, right: float) -> str:
    line = f'<line x1="{left}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="{INK}" stroke-opacity=".35"/>'
    return line + _text(left - 5, y + 4, label, INK, anchor="end")


def _text(x: float, y: float, text: str, colour: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
