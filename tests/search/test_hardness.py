"""In scope `global_batch` the hardest prompts are evolved, whatever the order of the prompts."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autosr_lib.errors import SettingsError
from autosr_lib.search.hardness import PromptProgress, hardest_prompts, hardness, measure_progress, reachable_prompts
from autosr_lib.search.profiles import PROFILES, profile_settings
from autosr_lib.search.settings import SearchSettings, Structure
from autosr_lib.settings_fields import leaves
from autosr_lib.settings_merge import validate_settings

PROGRESS = st.dictionaries(
    st.text(max_size=3),
    st.builds(PromptProgress, st.floats(-1, 1), st.floats(0, 1), is_open=st.booleans()),
    max_size=12,
)


def progress(margin: float = 0.0, wrong_share: float = 0.0, *, is_open: bool = True) -> PromptProgress:
    return PromptProgress(margin, wrong_share, is_open)


def test_hardness_is_the_formula_of_the_method() -> None:
    assert hardness(progress(margin=0.25, wrong_share=0.5)) == pytest.approx(1 / 1.25 + 2 * 0.5)


def test_a_negative_margin_counts_as_zero() -> None:
    assert hardness(progress(margin=-0.9)) == hardness(progress(margin=0.0)) == 1


def test_the_hardest_prompts_come_first_and_equal_ones_in_the_order_of_their_ids() -> None:
    by_id = {"b": progress(0.2), "a": progress(0.2), "wrong": progress(0.2, wrong_share=1), "easy": progress(0.9)}

    assert hardest_prompts(by_id, 3) == ["wrong", "a", "b"]


def test_a_prompt_that_has_stopped_is_not_searched() -> None:
    assert hardest_prompts({"a": progress(wrong_share=1, is_open=False), "b": progress()}, 2) == ["b"]


@pytest.mark.parametrize(("batch_size", "count"), [(3, 3), (0.25, 3), (0.01, 1), (99, 10)])
def test_a_batch_is_a_count_or_below_one_a_share_rounded_up(batch_size: float, count: int) -> None:
    assert len(hardest_prompts({f"p{i}": progress() for i in range(10)}, batch_size)) == count


@given(PROGRESS, st.floats(0.01, 0.99) | st.integers(1, 15), st.randoms(use_true_random=False))
def test_a_batch_does_not_depend_on_the_order_of_the_prompts(
    by_id: dict[str, PromptProgress], batch_size: float, dice: Random
) -> None:
    shuffled = list(by_id.items())
    dice.shuffle(shuffled)

    chosen = hardest_prompts(by_id, batch_size)

    assert chosen == hardest_prompts(dict(shuffled), batch_size)
    assert len(set(chosen)) == len(chosen)
    others = [hardness(measured) for name, measured in by_id.items() if measured.is_open and name not in chosen]
    assert all(hardness(by_id[name]) >= max(others, default=0) for name in chosen)


def test_the_reachable_prompts_are_bounded_by_the_batches_and_by_the_prompts() -> None:
    assert reachable_prompts(prompts=100, generations=3, batch_size=5) == 15
    assert reachable_prompts(prompts=10, generations=3, batch_size=5) == 10
    assert reachable_prompts(prompts=100, generations=3, batch_size=0.1) == 30


def test_progress_counts_the_individuals_whose_top_candidate_is_wrong() -> None:
    assert measure_progress(0.3, [True, False, False, True], is_open=True) == PromptProgress(0.3, 0.5, is_open=True)
    assert measure_progress(0.3, [], is_open=True).wrong_share == 1


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_consists_of_settings_that_exist(name: str) -> None:
    values = dict(profile_settings(name))
    generations = values.pop("generations", 1)

    settings = validate_settings(SearchSettings, {name.rpartition(".")[2]: value for name, value in values.items()})

    assert values.keys() <= {name for name, _ in leaves(SearchSettings)}
    assert name == "default" or settings != SearchSettings()
    assert Structure(generations=generations).generations == generations


def test_an_unknown_profile_is_refused_with_those_that_exist() -> None:
    with pytest.raises(SettingsError, match="profile is 'best'; allowed: 'default', 'original'"):
        profile_settings("best")
