"""Every prompt id has a partition key that Dagster accepts."""

import pytest
from dagster._core.definitions.partitions.utils.base import raise_error_on_invalid_partition_key_substring
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.storage.partition_keys import partition_key, prompt_id_of

IDS = st.text(st.characters() | st.sampled_from(".%\n\t "), min_size=1)


@given(IDS)
def test_a_prompt_id_is_read_back_from_its_key(prompt_id: str) -> None:
    assert prompt_id_of(partition_key(prompt_id)) == prompt_id


@given(IDS, IDS)
def test_dagster_accepts_every_key_and_can_split_a_range_of_two(first: str, last: str) -> None:
    keys = [partition_key(first), partition_key(last)]

    raise_error_on_invalid_partition_key_substring(keys)

    assert "...".join(keys).split("...") == keys


@pytest.mark.parametrize("prompt_id", ["p1", "Article 12/3", "v1.2", "问题-7", "100.0"])
def test_ordinary_ids_are_their_own_keys(prompt_id: str) -> None:
    assert partition_key(prompt_id) == prompt_id
