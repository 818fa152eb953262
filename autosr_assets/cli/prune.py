"""The command `autosr prune`: what is old and not needed to go on."""

import sys
from typing import Annotated

import typer

from autosr_assets.cli.shared import Debug, open_store, stdout
from autosr_lib.errors import SettingsError

KINDS = ("generations", "runs", "replies")


def prune(
    kinds: Annotated[
        list[str] | None, typer.Argument(help=f"What is pruned: {', '.join(KINDS)}; by default all of them.")
    ] = None,
    *,
    days: Annotated[float, typer.Option(min=0, metavar="NUMBER", help="What is younger stays.")] = 30,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", metavar="", help="Only say what would go, and how much.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", metavar="", help="Do not ask.")] = False,
    _debug: Debug = False,
) -> None:
    """Let go of what is old and not needed to go on.

    generations: the states between the first and the last generation of prompts that are done; no prompt becomes stale.
    runs: Dagster's runs and events that no asset's present state comes from. replies: kept replies of models.
    """
    if unknown := [kind for kind in kinds or () if kind not in KINDS]:
        raise SettingsError(f"{unknown[0]!r} cannot be pruned; allowed: {', '.join(KINDS)}")
    from autosr_assets.automation.pruning import Generations, Pruner, Replies, Runs, days_ago  # noqa: PLC0415
    from autosr_assets.runtime.home import cache_location  # noqa: PLC0415
    from autosr_lib.llm.cache import open_cache  # noqa: PLC0415
    from autosr_lib.llm.settings import LlmSettings  # noqa: PLC0415

    store, before = open_store(), days_ago(days)
    known: dict[str, Pruner] = {
        "generations": Generations(store, before),
        "runs": Runs(store, before),
        "replies": Replies(open_cache(cache_location(LlmSettings().cache_dir)), before),
    }
    chosen = {kind: known[kind] for kind in kinds or KINDS}
    found = {kind: one.plan() for kind, one in chosen.items()}
    for kind, what in found.items():
        stdout().print(f"{kind:<12} {what.count:>8,}  {what.size / 1e6:>10,.1f} MB")
        for name, count in what.by_name.items() if kind == "generations" else ():
            stdout().print(f"  {name}: {count:,}", style="dim")
    if dry_run or not any(what.count for what in found.values()):
        return
    if not yes:
        if not sys.stdin.isatty():
            raise SettingsError("nothing was pruned; allowed: --yes, or --dry-run to see what would go")
        if not typer.confirm("Let go of it?", err=True):
            return
    freed = sum(one.prune() for one in chosen.values())
    typer.echo(f"pruned; {freed / 1e6:,.1f} MB freed")
