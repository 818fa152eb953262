"""Preferences come back from their table as they were."""

from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.domain.preference import Preference, Verdict
from autosr_lib.evaluation.reference import PromptPreferences
from autosr_lib.evaluation.settings import JudgeSetting
from autosr_lib.storage.tables.preferences import preferences_table, read_preferences
from tests.storage.tables.values import TEXT, through_a_file
from tests.worlds import planted_prompt, preferences_of


@given(
    st.sampled_from([JudgeSetting.RANK, JudgeSetting.QUALITY, JudgeSetting.MODEL]),
    st.lists(
        st.builds(
            Preference,
            first=TEXT,
            second=TEXT,
            verdict=st.sampled_from(Verdict),
            forward=st.none() | st.sampled_from(Verdict),
            backward=st.none() | st.sampled_from(Verdict),
        ),
        max_size=5,
    ).map(tuple),
    st.integers(0, 99),
    st.integers(0, 9),
)
def test_any_preferences_come_back_from_their_table(
    judge: JudgeSetting, preferences: tuple[Preference, ...], calls: int, unjudged: int
) -> None:
    stored = PromptPreferences(judge, preferences, calls, unjudged)

    table = through_a_file(preferences_table("p", "input", stored, frozenset()))

    assert read_preferences(table) == stored
    assert table.column("status")[0].as_py() == ("incomplete" if unjudged else "done")


def test_preferences_say_which_pairs_touch_a_hidden_candidate() -> None:
    preferences = preferences_of(planted_prompt(3))

    rows = preferences_table("p1", "input", preferences, frozenset({"c2"})).to_pylist()

    assert [row["touches_hidden"] for row in rows] == [False, True, True]
