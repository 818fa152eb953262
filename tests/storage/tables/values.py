"""Values for the tests of the tables: texts, criteria, and a table that went through a file."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from autosr_lib.domain.rubric import Criterion

TEXT = st.text(st.characters(codec="utf-8"))
CRITERIA = st.builds(
    Criterion,
    criterion_id=TEXT.filter(bool),
    text=TEXT.filter(lambda text: bool(text.strip())),
    weight=st.floats(0, 1e6),
    criterion_type=TEXT,
    check_points=st.lists(TEXT, max_size=2).map(tuple),
    positive_examples=st.lists(TEXT, max_size=2).map(tuple),
    negative_examples=st.lists(TEXT, max_size=2).map(tuple),
)


def through_a_file(table: pa.Table) -> pa.Table:
    """Return the table as it is read from the file that it was written to."""
    file = io.BytesIO()
    pq.write_table(table, file)
    return pq.read_table(file)
