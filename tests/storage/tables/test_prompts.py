"""Prompts come back from their table as they were."""

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.storage.tables.prompts import prompt_batches, read_stored_prompts
from tests.storage.tables.values import TEXT, through_a_file
from tests.worlds import planted_prompt

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
METADATA = st.dictionaries(TEXT, JSON, max_size=3)
CANDIDATES = st.lists(
    st.builds(Candidate, candidate_id=TEXT.filter(bool), text=TEXT, source=TEXT, metadata=METADATA),
    max_size=4,
    unique_by=lambda candidate: candidate.candidate_id,
).map(tuple)
PROMPTS = st.builds(Prompt, prompt_id=TEXT.filter(bool), prompt=TEXT, candidates=CANDIDATES, metadata=METADATA)


@settings(deadline=None, max_examples=50)
@given(PROMPTS)
def test_any_prompt_comes_back_from_its_row(prompt: Prompt) -> None:
    rows = through_a_file(pa.Table.from_batches(prompt_batches([prompt])))

    assert list(read_stored_prompts(rows)) == [(prompt, False)]
    assert rows["fingerprint"].to_pylist() == [prompt.fingerprint]
    assert rows["status"].to_pylist() == ["done"]


def test_a_prompt_that_has_left_the_dataset_is_kept_and_marked() -> None:
    present, withdrawn = planted_prompt(4, prompt_id="present"), planted_prompt(4, prompt_id="withdrawn")

    rows = pa.Table.from_batches(prompt_batches([present], withdrawn=[withdrawn]))

    assert list(read_stored_prompts(rows)) == [(present, False), (withdrawn, True)]
    assert rows["status"].to_pylist() == ["done", "withdrawn"]
