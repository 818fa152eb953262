"""Table names are values that read back from their text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.storage.table_names import TableName

PARTS = st.lists(st.text(min_size=1).filter(lambda text: "/" not in text), min_size=1, max_size=3)


@given(PARTS)
def test_a_name_is_read_back_from_its_text_and_from_its_parts(parts: list[str]) -> None:
    name = TableName.from_parts(parts)

    assert TableName.parse(str(name)) == name
    assert name.parts == parts


@pytest.mark.parametrize("text", ["", "/", "news/", "/dataset", "a//b"])
def test_a_text_with_an_empty_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must (be|not have)"):
        TableName.parse(text)


def test_an_asset_with_a_slash_is_refused() -> None:
    with pytest.raises(ValueError, match="asset of a table is 'a/b'"):
        TableName("news", "a/b")
