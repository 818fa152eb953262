"""The commands `autosr runs list`, `show` and `diff`, `compare` and `checks`: what is on record."""

import json
from dataclasses import asdict
from typing import Annotated, Any

import typer

from autosr_assets.cli.shared import CHECK_FAILED, Debug, open_store, stdout

app = typer.Typer(rich_markup_mode="rich")

AsJson = Annotated[bool, typer.Option("--json", metavar="", help="Print JSON, for scripts.")]
A_RUN = "Id of a run or its beginning, or a search: its latest run, and with ~1 the one before."


@app.command("list")
def list_runs(
    *,
    name: Annotated[str | None, typer.Option(help="Only the runs of this search.")] = None,
    limit: Annotated[int, typer.Option(min=1, metavar="WHOLE", help="Most runs.")] = 20,
    as_json: AsJson = False,
    _debug: Debug = False,
) -> None:
    """List the runs on record, the latest first; a run that came to nothing new is none."""
    from autosr_assets.cli.run_reports import runs_table  # noqa: PLC0415
    from autosr_assets.records.recorded_runs import all_manifests  # noqa: PLC0415

    manifests = all_manifests(open_store(), name)
    if as_json:
        _print_json(manifests[:limit])
        return
    stdout().print(runs_table(manifests[:limit]))
    if len(manifests) > limit:
        stdout().print(f"and {len(manifests) - limit} before: --limit {len(manifests)}", style="dim")


@app.command()
def show(
    run: Annotated[str, typer.Argument(help=A_RUN)],
    *,
    as_json: AsJson = False,
    _debug: Debug = False,
) -> None:
    """Show what a run was told and what it came to."""
    from autosr_assets.cli.run_reports import run_view  # noqa: PLC0415
    from autosr_assets.records.recorded_runs import all_manifests, find_run  # noqa: PLC0415

    manifest = find_run(all_manifests(open_store()), run)
    if as_json:
        _print_json(manifest)
    else:
        stdout().print(run_view(manifest))


@app.command()
def diff(
    first: Annotated[str | None, typer.Argument(help=f"{A_RUN} By default the one before the other.")] = None,
    second: Annotated[str | None, typer.Argument(help="Another one; by default the latest of its search.")] = None,
    *,
    as_json: AsJson = False,
    _debug: Debug = False,
) -> None:
    """Show what differed between two runs, in settings and in results; by default the last two."""
    from autosr_assets.cli.run_reports import difference_json, difference_view  # noqa: PLC0415
    from autosr_assets.records.recorded_runs import all_manifests, difference, two_runs  # noqa: PLC0415

    store = open_store()
    found = difference(store, *two_runs(all_manifests(store), first, second))
    if as_json:
        _print_json(difference_json(found))
    else:
        stdout().print(difference_view(found))


def compare(
    searches: Annotated[list[str], typer.Argument(help="Searches over one dataset; all are compared with the first.")],
    *,
    as_json: AsJson = False,
    _debug: Debug = False,
) -> None:
    """Set searches over one dataset side by side: accuracy on the same held-out pairs, calls, cost."""
    from autosr_assets.cli.run_reports import compared_json, compared_view  # noqa: PLC0415
    from autosr_assets.records.recorded_runs import one_dataset_of  # noqa: PLC0415
    from autosr_assets.steps.comparison import compare_searches  # noqa: PLC0415

    store = open_store()
    found = compare_searches(store, one_dataset_of(store, searches), searches)
    if as_json:
        _print_json(compared_json(found))
    else:
        stdout().print(compared_view(found))


def checks(
    names: Annotated[
        list[str] | None, typer.Argument(help="Searches; by default all that have a run on record.")
    ] = None,
    *,
    strict: Annotated[bool, typer.Option("--strict", metavar="", help="Warnings count as failures.")] = False,
    as_json: AsJson = False,
    _debug: Debug = False,
) -> None:
    """Show what the checks of searches last said; exit with 4 when one failed or has not been run."""
    import warnings  # noqa: PLC0415

    from autosr_assets.records.recorded_runs import datasets_of  # noqa: PLC0415

    datasets = datasets_of(open_store(), names or None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dagster's, of what is in beta
        from autosr_assets.checks.check_results import FAILED, NOT_RUN, WARNING, check_results  # noqa: PLC0415
        from autosr_assets.cli.run_reports import checks_view  # noqa: PLC0415

        results = check_results(datasets.items())
    if as_json:
        _print_json([asdict(one) for one in results])
    else:
        stdout().print(checks_view(results))
    bad = {FAILED, NOT_RUN, WARNING} if strict else {FAILED, NOT_RUN}
    if any(one.result in bad for one in results):
        raise typer.Exit(CHECK_FAILED)


def _print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=1))
