"""Private parts of Dagster are used in one folder, and do what the code there expects of them."""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import dagster as dg
import pytest
import yaml

from autosr_assets.dagster_internals.private_names import DagsterAssetCheckFailedError
from autosr_assets.dagster_internals.step_metadata import add_partition_metadata

PROJECT = Path(__file__).parents[2]
INTERNALS = PROJECT / "autosr_assets" / "dagster_internals"
PRIVATE = ("dagster._", "dagster_celery", "dagster_postgres")
KEYS = ("a", "b")


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports, as far as they are imported by name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def private_imports(path: Path) -> list[str]:
    return [name for name in imported_modules(path) if name.startswith(PRIVATE)]


def test_only_the_folder_of_internals_imports_private_parts_of_dagster() -> None:
    files = [path for package in ("autosr_lib", "autosr_assets") for path in (PROJECT / package).rglob("*.py")]

    outside = {str(path): names for path in files if INTERNALS not in path.parents and (names := private_imports(path))}

    assert outside == {}
    assert any(private_imports(path) for path in INTERNALS.glob("*.py"))


def test_every_module_of_internals_says_what_to_check_when_dagster_is_upgraded() -> None:
    listed = import_module("autosr_assets.dagster_internals").__doc__ or ""

    modules = [path.stem for path in INTERNALS.glob("*.py") if path.stem != "__init__"]

    assert [name for name in modules if f"\n`{name}` — " not in listed] == []


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("autosr_assets.event_log", "BatchedSqliteEventLog"),
        ("autosr_assets.postgres_storage", "BatchedPostgresStorage"),
        ("autosr_assets.celery_launcher", "HeedfulCeleryRunLauncher"),
    ],
)
def test_the_module_that_a_dagster_yaml_names_still_holds_the_class(module: str, name: str) -> None:
    assert getattr(import_module(module), name).__module__.startswith("autosr_assets.dagster_internals.")


def test_the_deployed_dagster_yaml_names_modules_that_hold_the_class() -> None:
    config = yaml.safe_load((PROJECT / "deploy" / "dagster.yaml").read_text(encoding="utf-8"))

    for entry in (config["storage"]["custom"], config["run_launcher"]):
        assert hasattr(import_module(entry["module"]), entry["class"])


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(list(KEYS)), backfill_policy=dg.BackfillPolicy.single_run())
def described(context: dg.AssetExecutionContext) -> None:
    """Add metadata to each partition, in two calls."""
    add_partition_metadata(context, {"a": {"size": 1}})
    add_partition_metadata(context, {"b": {"size": 2}})


def test_metadata_of_a_partition_is_on_its_materialization_and_no_other() -> None:
    tags = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "b"}

    result = dg.Definitions([described]).resolve_implicit_global_asset_job_def().execute_in_process(tags=tags)

    sizes = {
        made.partition: made.metadata["size"].value for made in result.asset_materializations_for_node("described")
    }
    assert sizes == {"a": 1, "b": 2}


@dg.asset_check(asset="plain", blocking=True)
def holds() -> dg.AssetCheckResult:
    """Fail."""
    return dg.AssetCheckResult(passed=False)


@dg.asset(deps=["plain"])
def after() -> None:
    """Depend on what the check blocks."""


def test_a_blocking_check_that_fails_raises_dagsters_private_error() -> None:
    job = dg.Definitions([dg.asset(name="plain")(lambda: None), after], asset_checks=[holds])

    with pytest.raises(DagsterAssetCheckFailedError):
        job.resolve_implicit_global_asset_job_def().execute_in_process()
