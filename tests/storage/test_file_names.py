"""Any text is a partition key, and its file name is safe, unique and reversible."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.storage.file_names import file_name_to_key, key_to_file_name


@given(st.text())
def test_any_key_is_read_back_from_its_file_name(key: str) -> None:
    name = key_to_file_name(key)

    assert len(name) <= 120
    assert file_name_to_key(name) == (None if "%h" in name else key)


@given(st.lists(st.text(st.characters() | st.sampled_from("aAbB./\\% ")), min_size=2, max_size=2, unique=True))
def test_two_keys_never_share_a_file_name_even_where_case_is_ignored(keys: list[str]) -> None:
    first, second = (key_to_file_name(key) for key in keys)

    assert first.casefold() != second.casefold()


@given(st.text())
def test_no_key_leaves_its_folder_or_names_a_device(key: str) -> None:
    name = key_to_file_name(key)

    assert not set(name) & set('/\\.:*?"<>| ~')
    assert name.isascii()
    assert name not in {"con", "nul", "aux", "prn"}
    assert not name.startswith("-")


def test_a_file_name_that_no_key_has_is_refused() -> None:
    with pytest.raises(ValueError, match="Upper"):
        file_name_to_key("Upper")
