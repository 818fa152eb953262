"""The web UI describes the columns of every table."""

from typing import Any

import dagster as dg
import pytest

from autosr_assets.definitions import defs
from autosr_assets.views.columns import columns_metadata
from autosr_lib.storage.tables.best_rubrics import BEST_RUBRICS


def _columns(metadata: Any) -> dict[str, dg.TableColumn]:
    return {column.name: column for column in metadata["dagster/column_schema"].columns}


def test_every_table_of_the_graph_names_and_describes_its_columns() -> None:
    tables = [spec for spec in defs().resolve_all_asset_specs() if "parquet" in spec.kinds]

    columns_by_table = [_columns(spec.metadata) for spec in tables]

    assert len(columns_by_table) > 10
    assert all("prompt_id" in columns for columns in columns_by_table)
    assert all(column.description for columns in columns_by_table for column in columns.values())


@pytest.mark.parametrize(
    ("name", "kind"),
    [("best", "struct"), ("best.objective", "double"), ("rubric", "list<struct>"), ("gamed_by", "list<string>")],
)
def test_a_nested_column_is_named_after_a_dot(name: str, kind: str) -> None:
    assert _columns(columns_metadata(BEST_RUBRICS))[name].type == kind
