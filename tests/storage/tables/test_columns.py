"""Every table describes its columns, and marks prompts that failed."""

import pyarrow as pa
import pytest

from autosr_lib.storage.tables.best_rubrics import BEST_RUBRICS
from autosr_lib.storage.tables.columns import COMMON, Status, UnsuccessfulRow, read_row_status, unsuccessful_table
from autosr_lib.storage.tables.population import POPULATION
from autosr_lib.storage.tables.preferences import PREFERENCES
from autosr_lib.storage.tables.prompts import PROMPTS
from tests.storage.tables.values import through_a_file


@pytest.mark.parametrize("schema", [POPULATION, BEST_RUBRICS, PREFERENCES])
def test_a_prompt_that_failed_has_one_row_with_the_reason(schema: pa.Schema) -> None:
    failed = UnsuccessfulRow("p1", Status.FAILED, "no rubric", "input")

    rows = through_a_file(unsuccessful_table(failed, schema))

    (row,) = rows.to_pylist()
    assert read_row_status(rows) == (Status.FAILED, "no rubric", "input")
    assert (row["prompt_id"], row["status"], row["error"]) == ("p1", "failed", "no rubric")
    assert {row[name] for name in schema.names if name not in {column.name for column in COMMON}} == {None}


@pytest.mark.parametrize("schema", [PROMPTS, POPULATION, BEST_RUBRICS, PREFERENCES])
def test_every_column_is_described(schema: pa.Schema) -> None:
    assert all(column.metadata and column.metadata[b"description"] for column in schema)
