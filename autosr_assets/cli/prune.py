"""The work of `autosr prune`."""

import sys

import typer

from autosr_assets.automation.pruning import GenerationPruner, Pruner, ReplyPruner, RunPruner, days_ago
from autosr_assets.cli.options.files import PRUNABLE, PruneOptions
from autosr_assets.cli.shared import open_store, stdout
from autosr_assets.runtime.home import cache_location
from autosr_lib.errors import SettingsError
from autosr_lib.llm.cache import open_cache
from autosr_lib.llm.settings import LlmSettings


def prune(options: PruneOptions) -> None:
    """Print what can be deleted, ask for confirmation, and delete it.

    Raises:
        SettingsError: a kind is unknown, or confirmation is needed and stdin is no terminal.
    """
    kinds = options.kinds or PRUNABLE
    if unknown := [kind for kind in kinds if kind not in PRUNABLE]:
        raise SettingsError(f"{unknown[0]!r} cannot be pruned; allowed: {', '.join(PRUNABLE)}")
    pruners = {kind: pruner for kind, pruner in _pruners(options.days).items() if kind in kinds}
    plans = {kind: pruner.plan() for kind, pruner in pruners.items()}
    for kind, plan in plans.items():
        stdout().print(f"{kind:<12} {plan.count:>8,}  {plan.size / 1e6:>10,.1f} MB")
        for name, count in plan.by_name.items() if kind == "generations" else ():
            stdout().print(f"  {name}: {count:,}", style="dim")
    if options.dry_run or not any(plan.count for plan in plans.values()):
        return
    if not options.yes:
        if not sys.stdin.isatty():
            raise SettingsError("nothing was pruned; allowed: --yes, or --dry-run to see what would be deleted")
        if not typer.confirm("Delete this data?", err=True):
            return
    freed = sum(pruner.prune() for pruner in pruners.values())
    typer.echo(f"pruned; {freed / 1e6:,.1f} MB freed")


def _pruners(days: float) -> dict[str, Pruner]:
    store, before = open_store(), days_ago(days)
    return {
        "generations": GenerationPruner(store, before),
        "runs": RunPruner(store, before),
        "replies": ReplyPruner(open_cache(cache_location(LlmSettings().cache_dir)), before),
    }
