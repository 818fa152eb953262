"""Recorded runs as text: all of them, or one in detail."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from autosr_assets.cli.tables import plain_table
from autosr_lib.domain.wording import plural
from autosr_lib.results.run_results import Manifest

_MAX_VALUE_CHARACTERS = 60
_ACCURACIES = (("of two hidden candidates", "unseen_pairs"), ("with a hidden candidate", "pairs_touching_hidden"))


def runs_table(manifests: Sequence[Manifest]) -> Table:
    """Return the runs, one per line."""
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("run", min_width=8)
    table.add_column("at (UTC)", min_width=16)
    table.add_column("search", overflow="fold")
    table.add_column("settings", min_width=8)
    for title in ("prompts", "unseen", "touching", "calls"):
        table.add_column(title, justify="right", no_wrap=True)
    for manifest in manifests:
        totals = manifest["totals"]
        table.add_row(
            manifest["run_id"][:8],
            manifest["at"][:16].replace("T", " "),
            escape(manifest["search"]),
            manifest["settings_fingerprint"][:8],
            format_share(totals["rubrics"], totals["prompts"]),
            _format_accuracy(totals, "unseen_pairs"),
            _format_accuracy(totals, "pairs_touching_hidden"),
            f"{search_calls(totals):,}",
        )
    return table


def run_view(manifest: Manifest) -> RenderableType:
    """Return one run: its origin, its results and its effective settings."""
    table = plain_table()
    _add_origin(table, manifest)
    _add_results(table, manifest)
    groups = {name: manifest[name] for name in ("settings", "dataset_settings")}
    head = Text(f"\nsettings {manifest['settings_fingerprint']}", style="dim")
    return Group(table, head, Text("\n".join(_indented_lines(groups))))


def _add_origin(table: Table, manifest: Manifest) -> None:
    structure = ", ".join(f"{name} {value}" for name, value in manifest["structure"].items())
    packages = ", ".join(f"{name} {number}" for name, number in manifest["packages"].items())
    table.add_row("run", f"{manifest['run_id']}, {manifest['at']}")
    table.add_row("search", escape(f"{manifest['search']}: {structure}"))
    table.add_row("dataset", escape(f"{manifest['dataset']} (sha256 {manifest['dataset_sha256']})"))
    table.add_row("backend", escape(", ".join(_backend_and_models(manifest["backend"]))))
    table.add_row("version", f"autosr {manifest['version']}, commit {manifest['git'] or 'unknown'}")
    table.add_row("", f"Python {manifest['python']}, {packages}")


def _add_results(table: Table, manifest: Manifest) -> None:
    totals = manifest["totals"]
    table.add_row("prompts", f"{totals['prompts']}: {totals['rubrics']} with a rubric, {totals['failed']} failed")
    for kind, name in _ACCURACIES:
        if (accuracy := (totals["holdout_accuracy"] or {}).get(name)) is not None:
            initial, best = _format_interval(accuracy["initial"]), _format_interval(accuracy["best"])
            table.add_row("held-out accuracy", f"{initial} → {best} ({plural(accuracy['pairs'], 'pair')} {kind})")
    if totals["objective"] is not None:
        table.add_row("mean objective", f"{totals['initial_objective']:.3f} → {totals['objective']:.3f}")
    table.add_row("calls", f"{search_calls(totals):,}, judge {totals['judge_calls']:,}")
    table.add_row("spent so far", format_spending(manifest["spent"]))
    table.add_row("deterministic", "yes" if manifest["deterministic"] else "no: the shared budget ended it early")
    table.add_row("rubrics", f"sha256 {manifest['rubrics_sha256']}")


def search_calls(totals: Mapping[str, Any]) -> int:
    """Return the number of calls of the search's roles, without those of the judge.

    >>> search_calls({"calls": {"initializer": 1, "proposer": 2, "verifier": 30, "saved_by_bank": 9}})
    33
    """
    return sum(totals["calls"].get(role, 0) for role in ("initializer", "proposer", "verifier"))


def format_share(count: int, total: int) -> str:
    """Return `count/total`, or only the count if it is the total.

    >>> format_share(3, 3), format_share(2, 3)
    ('3', '2/3')
    """
    return str(count) if count == total else f"{count}/{total}"


def format_spending(spent: Mapping[str, Any]) -> str:
    """Return requests, cached replies, tokens and cost on one line.

    >>> format_spending({"requests": 1200, "cached_calls": 3, "tokens": 45000, "cost": 1.5})
    '1,200 requests, 3 cached replies, 45,000 tokens, $1.50'
    """
    if not spent["requests"] and not spent["cached_calls"]:
        return "nothing: no model was called"
    cost = f", ${spent['cost']:,.2f}" if spent["cost"] else ""
    return f"{spent['requests']:,} requests, {spent['cached_calls']:,} cached replies, {spent['tokens']:,} tokens{cost}"


def format_setting(value: Any) -> str:
    """Return a setting's value as text, shortened if it is long.

    >>> format_setting(None), format_setting([1, 2]), len(format_setting("x" * 100))
    ('none', '[1, 2]', 60)
    """
    text = "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[: _MAX_VALUE_CHARACTERS - 1]}…"


def _backend_and_models(backend: Mapping[str, Any]) -> list[str]:
    models = {role: identity.get("model") for role, identity in backend["roles"].items()}
    return [str(backend["name"]), *(f"{role} {model}" for role, model in models.items() if model)]


def _indented_lines(values: Mapping[str, Any], indent: str = "  ") -> list[str]:
    """Return nested settings as lines, one level of indentation per level of nesting."""
    lines = []
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            lines += [f"{indent}{name}", *_indented_lines(value, indent + "  ")]
        else:
            lines.append(f"{indent}{name}: {format_setting(value)}")
    return lines


def _format_accuracy(totals: Mapping[str, Any], name: str) -> str:
    accuracy = (totals["holdout_accuracy"] or {}).get(name)
    return "" if accuracy is None else f"{accuracy['best']['value']:.1%}"


def _format_interval(figure: Mapping[str, float]) -> str:
    return f"{figure['value']:.1%} \\[{figure['low']:.1%}, {figure['high']:.1%}]"
