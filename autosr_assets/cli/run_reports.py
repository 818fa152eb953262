"""What `autosr runs` prints: the runs on record, one of them, and what differs between two."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from autosr_assets.cli.reports import plain_table
from autosr_assets.records.recorded_runs import Manifest, RunDifference
from autosr_lib.evaluation.holdout import PairSummary

if TYPE_CHECKING:  # both are slow to import
    from autosr_assets.checks.check_results import CheckResult
    from autosr_assets.steps.comparison import ComparedSearches

_SHOWN = 20
_WIDEST = 60


def runs_table(manifests: Sequence[Manifest]) -> Table:
    """Return the runs, a line each."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("run", min_width=8)
    table.add_column("at (UTC)", min_width=16)
    table.add_column("search", overflow="fold")
    table.add_column("settings", min_width=8)
    for name in ("prompts", "unseen", "touching", "calls"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in manifests:
        totals = one["totals"]
        table.add_row(
            one["run_id"][:8],
            one["at"][:16].replace("T", " "),
            escape(one["search"]),
            one["settings_fingerprint"][:8],
            _of(totals["rubrics"], totals["prompts"]),
            _accuracy(totals, "unseen_pairs"),
            _accuracy(totals, "pairs_touching_hidden"),
            f"{_calls(totals):,}",
        )
    return table


def run_view(manifest: Manifest) -> RenderableType:
    """Return one run: who made it, of what, what it came to, and the settings that it had in effect."""
    table, totals = plain_table(), manifest["totals"]
    structure, backend = manifest["structure"], manifest["backend"]
    table.add_row("run", f"{manifest['run_id']}, {manifest['at']}")
    table.add_row("search", escape(f"{manifest['search']}: " + ", ".join(f"{k} {v}" for k, v in structure.items())))
    table.add_row("dataset", escape(f"{manifest['dataset']} (sha256 {manifest['dataset_sha256']})"))
    table.add_row("backend", escape(", ".join(_who_answers(backend))))
    packages = ", ".join(f"{name} {number}" for name, number in manifest["packages"].items())
    table.add_row("made by", f"autosr {manifest['version']}, commit {manifest['git'] or 'unknown'}")
    table.add_row("", f"Python {manifest['python']}, {packages}")
    table.add_row("prompts", f"{totals['prompts']}: {totals['rubrics']} with a rubric, {totals['failed']} failed")
    for title, name in (
        ("of two hidden candidates", "unseen_pairs"),
        ("with a hidden candidate", "pairs_touching_hidden"),
    ):
        if (figures := (totals["holdout_accuracy"] or {}).get(name)) is not None:
            table.add_row(
                "held-out accuracy",
                f"{_interval(figures['initial'])} → {_interval(figures['best'])} ({figures['pairs']} pairs {title})",
            )
    objective = totals["objective"]
    if objective is not None:
        table.add_row("mean objective", f"{totals['initial_objective']:.3f} → {objective:.3f}")
    table.add_row("calls", f"{_calls(totals):,}, judge {totals['judge_calls']:,}")
    table.add_row("spent so far", _spent(manifest["spent"]))
    table.add_row("deterministic", "yes" if manifest["deterministic"] else "no: the shared budget cut it short")
    table.add_row("rubrics", f"sha256 {manifest['rubrics_sha256']}")
    settings = json.dumps({name: manifest[name] for name in ("settings", "dataset_settings")}, ensure_ascii=False)
    head = Text(f"\nsettings {manifest['settings_fingerprint']}", style="dim")
    return Group(table, head, Text("\n".join(_lines(json.loads(settings)))))


def difference_view(found: RunDifference) -> RenderableType:
    """Return what differed between two runs: first in what they were told, then in what they came to."""
    one, other, results = found.first, found.second, found.results
    asked = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("told", _title(one), _title(other)):
        asked.add_column(name, overflow="fold")
    for name, values in found.asked.items():
        asked.add_row(escape(name), *(escape(_value(value)) for value in values))
    parts: list[RenderableType] = (
        [asked] if found.asked else [Text(f"{_title(one)} and {_title(other)} were told the same")]
    )
    came = plain_table()
    came.add_row("rubrics", f"{len(results.changed)} of {results.prompts} changed")
    for names, which in ((results.only_first, _title(one)), (results.only_second, _title(other))):
        if names:
            came.add_row("", escape(f"only in {which}: {_listed(names)}"))
    for line in _accuracies(found):
        came.add_row("held-out accuracy", line)
    totals = (one["totals"], other["totals"])
    came.add_row("calls", " → ".join(f"{_calls(total):,}" for total in totals))
    came.add_row("failed", " → ".join(str(total["failed"]) for total in totals))
    came.add_row("spent so far", " → ".join(_spent(run["spent"]) for run in (one, other)))
    parts += [Text(), came]
    if results.changed:
        parts += [Text(), _changed_table(found)]
    return Group(*parts)


def difference_json(found: RunDifference) -> dict[str, Any]:
    """Return the same for a script."""
    results = found.results
    return {
        "first": found.first["run_id"],
        "second": found.second["run_id"],
        "told": {name: {"first": values[0], "second": values[1]} for name, values in found.asked.items()},
        "results": {
            "prompts": results.prompts,
            "only_first": results.only_first,
            "only_second": results.only_second,
            "changed": [one._asdict() for one in results.changed],
            "unseen_pairs": pairs_json(results.unseen if found.is_paired else None),
            "pairs_touching_hidden": pairs_json(results.touching if found.is_paired else None),
            "totals": {"first": found.first["totals"], "second": found.second["totals"]},
        },
    }


def pairs_json(summary: PairSummary | None) -> dict[str, Any] | None:
    """Return two accuracies on the same pairs, and their difference, with 95% intervals."""
    if summary is None:
        return None
    figures = {"first": summary.initial, "second": summary.best, "difference": summary.gain}
    return {
        "prompts": summary.prompts,
        "pairs": summary.pairs,
        **{name: figure._asdict() for name, figure in figures.items()},
    }


def accuracy_line(summary: PairSummary) -> str:
    """Return two accuracies and their difference on one line."""
    figures = f"{summary.initial} → {summary.best}, difference {summary.gain.in_points} points"
    return f"{figures} ({summary.pairs} pairs, {summary.prompts} prompts)"


def compared_view(found: "ComparedSearches") -> RenderableType:
    """Return searches side by side, and each against the first."""
    each = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    each.add_column("search", no_wrap=True)
    for name in ("rubrics", "unseen pairs", "touching pairs", "calls", "tokens", "cost"):
        each.add_column(name, justify="right")
    for one in found.searches:
        accuracies = ["" if summary is None else str(summary.best) for summary in (one.unseen, one.touching)]
        spent = (f"{one.spent.tokens:,}", f"${one.spent.cost:,.2f}")
        rubrics = _of(one.rubrics, found.prompts)
        each.add_row(escape(one.name), rubrics, *map(escape, accuracies), f"{one.calls:,}", *spent)
    against = plain_table()
    for name, one_difference in found.differences.items():
        title = f"{name} − {found.searches[0].name}"
        against.add_row(title, f"{one_difference.paired} of {found.prompts} prompts compared")
        for which, summary in (("unseen", one_difference.unseen), ("touching", one_difference.touching)):
            if summary is not None:
                against.add_row("", f"{which}: {escape(summary.gain.in_points + ' points')} ({summary.pairs} pairs)")
    note = Text(
        "touching pairs flatter a rubric that remembers; objectives are no accuracy and are not compared", "dim"
    )
    return Group(each, Text(), against, note)


def compared_json(found: "ComparedSearches") -> dict[str, Any]:
    """Return the same for a script."""
    return {
        "prompts": found.prompts,
        "searches": [
            {
                "search": one.name,
                "rubrics": one.rubrics,
                "unseen_accuracy": None if one.unseen is None else one.unseen.best._asdict(),
                "touching_accuracy": None if one.touching is None else one.touching.best._asdict(),
                "calls": one.calls,
                "spent": asdict(one.spent),
            }
            for one in found.searches
        ],
        "against_the_first": {
            name: {
                "prompts_compared": one.paired,
                "unseen_pairs": pairs_json(one.unseen),
                "pairs_touching_hidden": pairs_json(one.touching),
            }
            for name, one in found.differences.items()
        },
    }


def checks_view(results: "Sequence[CheckResult]") -> RenderableType:
    """Return the last results of checks, and of those that did not hold what they found."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("result", "asset", "check", "prompts at fault"):
        table.add_column(name, overflow="fold")
    colours = {"passed": "green", "warning": "yellow"}
    parts: list[RenderableType] = [table]
    for one in results:
        at_fault = one.metadata.get("prompts_at_fault")
        table.add_row(Text(one.result, colours.get(one.result, "bold red")), one.asset, one.check, str(at_fault or ""))
        if one.result != "passed" and one.metadata.get("at_fault"):
            parts.append(Text(f"\n{one.asset}: {one.check}\n{one.metadata['at_fault']}"))
    return Group(*parts)


def _accuracies(found: RunDifference) -> list[str]:
    if not found.is_paired:
        return ["not compared: the runs were measured on other candidates, or by another reference"]
    pools = (("unseen", found.results.unseen), ("touching", found.results.touching))
    lines = [f"{which}: {accuracy_line(summary)}" for which, summary in pools if summary is not None]
    return lines or ["nothing was held out"]


def _changed_table(found: RunDifference) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("changed", overflow="fold")
    for name in ("objective", "", "difference"):
        table.add_column(name, justify="right")
    changed = found.results.changed
    for one in changed[:_SHOWN]:
        table.add_row(escape(one.prompt_id), f"{one.first:.3f}", f"{one.second:.3f}", f"{one.second - one.first:+.3f}")
    if len(changed) > _SHOWN:
        table.add_row(f"and {len(changed) - _SHOWN} more")
    return table


def _who_answers(backend: Mapping[str, Any]) -> list[str]:
    models = {role: told.get("model") for role, told in backend["roles"].items()}
    return [str(backend["name"]), *(f"{role} {model}" for role, model in models.items() if model)]


def _lines(values: Mapping[str, Any], prefix: str = "  ") -> list[str]:
    """Return settings as indented lines."""
    lines = []
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            lines += [f"{prefix}{name}", *_lines(value, prefix + "  ")]
        else:
            lines.append(f"{prefix}{name}: {_value(value)}")
    return lines


def _title(manifest: Manifest) -> str:
    return f"{manifest['search']} {manifest['run_id'][:8]}"


def _of(done: int, all_: int) -> str:
    return str(done) if done == all_ else f"{done}/{all_}"


def _accuracy(totals: Mapping[str, Any], which: str) -> str:
    figures = (totals["holdout_accuracy"] or {}).get(which)
    return "" if figures is None else f"{figures['best']['value']:.1%}"


def _interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.1%} \\[{figure['low']:.1%}, {figure['high']:.1%}]"


def _calls(totals: Mapping[str, Any]) -> int:
    return sum(totals["calls"].get(role, 0) for role in ("initializer", "proposer", "verifier"))


def _spent(spent: Mapping[str, Any]) -> str:
    if not spent["requests"] and not spent["cached_calls"]:
        return "nothing: no model was asked"
    cost = f", ${spent['cost']:,.2f}" if spent["cost"] else ""
    return f"{spent['requests']:,} requests, {spent['cached_calls']:,} kept replies, {spent['tokens']:,} tokens{cost}"


def _value(value: Any) -> str:
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
