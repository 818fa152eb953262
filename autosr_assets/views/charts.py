"""Small charts as SVG, for the web UI and the report.

The web UI collapses markdown of `INLINE` or more characters. These charts are therefore written by hand: with integer
coordinates, one path for many marks, and colours that are legible on white and on black, since there is no background.
"""

from collections.abc import Sequence
from html import escape

from autosr_lib.evaluation.holdout import HoldoutSummary

INLINE = 1000
"""Number of characters from which the web UI of Dagster 1.13 collapses markdown."""
INK, BLUE, ORANGE, GREEN = "#767676", "#2f81f7", "#db7b2b", "#2da44e"
WIDTH = 360
_TOP, _BOTTOM, _LEFT = 24, 96, 38


def image(alt: str, svg: str) -> str:
    r"""Return an SVG as an image in markdown; it is escaped text, because base64 is a third longer.

    >>> image("a line", "<svg><path d='M0,0h9' stroke='#000'/></svg>")
    "![a line](<data:image/svg+xml,\\<svg\\>\\<path d='M0,0h9' stroke='%23000'/\\>\\</svg\\>>)"
    """
    escaped = svg.replace("%", "%25").replace("#", "%23").replace("\\", "").replace("<", "\\<").replace(">", "\\>")
    return f"![{alt}](<data:image/svg+xml,{escaped}>)"


def objective_chart(
    best: Sequence[float], mean: Sequence[float], band: tuple[Sequence[float], Sequence[float]] | None = None
) -> str:
    """Return a chart of the best and the mean objective by generation; `band` is (low, high) around the best."""
    return _svg(116, _objective(best, mean, band))


def calls_chart(calls: Sequence[int]) -> str:
    """Return a chart of the number of calls in each generation."""
    return _svg(116, _calls(calls))


def held_out_chart(summary: HoldoutSummary) -> str:
    """Return a chart of the held-out accuracy of the first and the best rubrics with intervals; unseen pairs on top.

    A bar marks the accuracy of the visible labels alone on pairs that touch a hidden candidate.
    """
    pools = [("unseen", summary.unseen), ("touching", summary.touching)]
    shown = [(name, pairs) for name, pairs in pools if pairs is not None]
    parts = [_text(0, 10, "● first", ORANGE), _text(50, 10, "● best", GREEN), _text(100, 10, "┃ labels alone")]
    bottom = 24 + 40 * len(shown)
    for row, (name, pairs) in enumerate(shown):
        label = f"{name}, {pairs.pairs} pairs: {pairs.initial.value:.1%} → {pairs.best.value:.1%}"
        parts.append(_text(0, 32 + 40 * row, label))
    for colour, top, intervals in (
        (ORANGE, 40, [pairs.initial for _, pairs in shown]),
        (GREEN, 50, [pairs.best for _, pairs in shown]),
    ):
        lines = [
            f"M{_share(interval.low)},{top + 40 * row}H{_share(interval.high)}"
            for row, interval in enumerate(intervals)
        ]
        dots = [f"M{_share(interval.value)},{top + 40 * row}h0" for row, interval in enumerate(intervals)]
        path = f"<path stroke='{colour}' stroke-linecap='round' stroke-width="
        parts.append(f"{path}'2' d='{''.join(lines)}'/>{path}'8' d='{''.join(dots)}'/>")
    labels_alone = f"<path stroke='{INK}' stroke-width='3' d='M{_share(summary.remembered)},{bottom - 30}v22'/>"
    axis = f"<path stroke='{INK}' d='M0,{bottom}H340m-170,0v-5'/>"
    scale = _text(159, bottom + 12, "50%")
    return _svg(bottom + 16, "".join(parts) + labels_alone + axis + scale)


def operators_chart(steps: Sequence[tuple[str, int]]) -> str:
    """Return a chart of the steps to the best rubrics by operator; `steps` are (operator, count)."""
    most = max(count for _, count in steps)
    bars = [f"M90,{12 + 20 * row}h{max(2, round(count / most * 220))}" for row, (_, count) in enumerate(steps)]
    names = [
        _text(84, 16 + 20 * row, name, anchor="end")
        + _text(96 + max(2, round(count / most * 220)), 16 + 20 * row, f"{count:,}")
        for row, (name, count) in enumerate(steps)
    ]
    return _svg(20 * len(steps) + 6, f"<path d='{''.join(bars)}' stroke='{GREEN}' stroke-width='12'/>" + "".join(names))


def _objective(
    best: Sequence[float],
    mean: Sequence[float],
    band: tuple[Sequence[float], Sequence[float]] | None,
) -> str:
    values = [*best, *mean, *(value for side in band or () for value in side)]
    low, high = min(values), max(values)
    spread = (high - low) or 1.0

    def points(side: Sequence[float], xs: Sequence[int]) -> str:
        ys = [round(_BOTTOM - (value - low) / spread * (_BOTTOM - _TOP)) for value in side]
        return " ".join(f"{x},{y}" for x, y in zip(xs, ys, strict=True))

    xs = _positions(len(best), _LEFT + 6, WIDTH - 8)
    parts = [_levels(f"{high:.2f}", f"{low:.2f}" if high > low else "")]
    if band is not None:
        outline = f"{points(band[0], xs)} {points(band[1][::-1], xs[::-1])}"
        parts.append(f"<polygon points='{outline}' fill='{BLUE}' opacity='.2'/>")
    for side, colour, dash in ((mean, ORANGE, " stroke-dasharray='5'"), (best, BLUE, "")):
        line = points(side, xs) if len(xs) > 1 else f"{points(side, xs)} {points(side, [xs[0] + 1])}"
        parts.append(f"<polyline points='{line}' fill='none' stroke='{colour}' stroke-width='2'{dash}/>")
    parts += [_text(_LEFT, 10, "● best", BLUE), _text(_LEFT + 46, 10, "● mean of the population", ORANGE)]
    return "".join(parts) + _generations(xs)


def _calls(calls: Sequence[int]) -> str:
    most = max([1, *calls])
    width = max(2, min(24, round((WIDTH - _LEFT) / len(calls) * 0.6)))
    xs = _positions(len(calls), _LEFT + 6 + width // 2, WIDTH - 6 - width // 2)
    bars = "".join(
        f"M{x},{_BOTTOM}V{round(_BOTTOM - count / most * (_BOTTOM - _TOP))}" for x, count in zip(xs, calls, strict=True)
    )
    drawn = f"<path d='{bars}' stroke='{BLUE}' stroke-width='{width}'/>"
    return _levels(f"{most:,}", "0") + drawn + _generations(xs)


def _levels(high: str, low: str) -> str:
    lines = f"<path d='M{_LEFT},{_TOP}H{WIDTH}M{_LEFT},{_BOTTOM}H{WIDTH}' stroke='{INK}' opacity='.4'/>"
    named = _text(_LEFT - 4, _BOTTOM + 4, low, anchor="end") if low else ""
    return lines + _text(_LEFT - 4, _TOP + 4, high, anchor="end") + named


def _generations(xs: Sequence[int]) -> str:
    """Return the labels of the first and the last generation."""
    if len(xs) == 1:
        return _text(xs[0], 110, "generation 0", anchor="middle")
    return _text(xs[0], 110, "generation 0") + _text(xs[-1], 110, str(len(xs) - 1), anchor="middle")


def _share(value: float) -> int:
    return round(value * 340)


def _positions(count: int, left: int, right: int) -> list[int]:
    if count == 1:
        return [(left + right) // 2]
    return [round(left + (right - left) * number / (count - 1)) for number in range(count)]


def _text(x: int, y: int, text: str, colour: str = "", *, anchor: str = "") -> str:
    fill = f" fill='{colour}'" if colour else ""
    side = f" text-anchor='{anchor}'" if anchor else ""
    return f"<text x='{x}' y='{y}'{side}{fill}>{escape(text)}</text>"


def _svg(height: int, body: str) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' "
        f"font-family='Arial' font-size='11' fill='{INK}'>{body}</svg>"
    )
