"""The difference between two runs, as text and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from autosr_assets.cli.comparison_view import pairs_json
from autosr_assets.cli.run_view import format_setting, format_spending, search_calls
from autosr_assets.cli.tables import headed_table, plain_table
from autosr_assets.records.recorded_runs import RunDifference
from autosr_lib.domain.wording import plural
from autosr_lib.evaluation.holdout import PairSummary
from autosr_lib.results.run_results import Manifest

_MAX_SHOWN = 20


def difference_view(difference: RunDifference) -> RenderableType:
    """Return how two runs differ: first their settings, then their results."""
    parts = [_settings_view(difference), Text(), _results_table(difference)]
    if difference.results.changed:
        parts += [Text(), _changed_table(difference)]
    return Group(*parts)


def difference_json(difference: RunDifference) -> dict[str, Any]:
    """Return the difference as JSON."""
    results, is_paired = difference.results, difference.is_paired
    return {
        "first": difference.first["run_id"],
        "second": difference.second["run_id"],
        "told": {name: {"first": values[0], "second": values[1]} for name, values in difference.settings.items()},
        "results": {
            "prompts": results.prompts,
            "only_first": results.only_first,
            "only_second": results.only_second,
            "changed": [change._asdict() for change in results.changed],
            "unseen_pairs": pairs_json(results.unseen if is_paired else None),
            "pairs_touching_hidden": pairs_json(results.touching if is_paired else None),
            "totals": {"first": difference.first["totals"], "second": difference.second["totals"]},
        },
    }


def _settings_view(difference: RunDifference) -> RenderableType:
    titles = [_title(difference.first), _title(difference.second)]
    if not difference.settings:
        return Text(f"{titles[0]} and {titles[1]} have the same settings")
    table = headed_table()
    for title in ("setting", *titles):
        table.add_column(title, overflow="fold")
    for name, values in difference.settings.items():
        table.add_row(escape(name), *(escape(format_setting(value)) for value in values))
    return table


def _results_table(difference: RunDifference) -> Table:
    results, runs = difference.results, (difference.first, difference.second)
    totals = [run["totals"] for run in runs]
    table = plain_table()
    table.add_row("rubrics", f"{len(results.changed)} of {results.prompts} changed")
    for prompt_ids, run in zip((results.only_first, results.only_second), runs, strict=True):
        if prompt_ids:
            table.add_row("", escape(f"only in {_title(run)}: {_shortened_list(prompt_ids)}"))
    for line in _accuracy_lines(difference):
        table.add_row("held-out accuracy", line)
    table.add_row("calls", " → ".join(f"{search_calls(total):,}" for total in totals))
    table.add_row("failed", " → ".join(str(total["failed"]) for total in totals))
    table.add_row("spent so far", " → ".join(format_spending(run["spent"]) for run in runs))
    return table


def _accuracy_lines(difference: RunDifference) -> list[str]:
    if not difference.is_paired:
        return ["not compared: the runs were measured on different candidates, or with different references"]
    pools = (("unseen", difference.results.unseen), ("touching", difference.results.touching))
    lines = [f"{name}: {_accuracy_line(summary)}" for name, summary in pools if summary is not None]
    return lines or ["nothing was held out"]


def _accuracy_line(summary: PairSummary) -> str:
    figures = f"{summary.initial} → {summary.best}, difference {summary.gain.in_points} points"
    return f"{figures} ({plural(summary.pairs, 'pair')}, {plural(summary.prompts, 'prompt')})"


def _changed_table(difference: RunDifference) -> Table:
    table = headed_table()
    table.add_column("changed", overflow="fold")
    for title in ("objective", "", "difference"):
        table.add_column(title, justify="right")
    changes = difference.results.changed
    for change in changes[:_MAX_SHOWN]:
        figures = (f"{change.first:.3f}", f"{change.second:.3f}", f"{change.second - change.first:+.3f}")
        table.add_row(escape(change.prompt_id), *figures)
    if len(changes) > _MAX_SHOWN:
        table.add_row(f"and {len(changes) - _MAX_SHOWN} more")
    return table


def _title(manifest: Manifest) -> str:
    return f"{manifest['search']} {manifest['run_id'][:8]}"


def _shortened_list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MAX_SHOWN} more" if len(names) > _MAX_SHOWN else ""
    return ", ".join(names[:_MAX_SHOWN]) + more
