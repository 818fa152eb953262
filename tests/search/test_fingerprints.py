"""A fingerprint changes exactly if something that its row depends on has changed."""

import pytest

from autosr_lib.evaluation.settings import HoldoutSettings, ReferenceSettings
from autosr_lib.search.fingerprints import (
    FingerprintInputs,
    best_fingerprint,
    generation_fingerprints,
    preferences_fingerprint,
)
from autosr_lib.search.settings import SearchSettings, Structure
from autosr_lib.settings import SearchRunSettings
from tests.fakes import prompt_with, rubric
from tests.worlds import search_settings

IDENTITIES = {"initializer": "i", "proposer": "p", "verifier": "v", "judge": "j"}
HOLDOUT = HoldoutSettings(holdout_fraction=0.25, holdout_seed=7)


def chain(
    settings: SearchSettings | None = None,
    *,
    preferences: str = "preferences",
    generations: int = 3,
    mode: str = "evolutionary",
    **inputs: object,
) -> list[str]:
    """Return the fingerprints of generation 0 to 3, then that of the best rubric."""
    settings = settings or search_settings()
    structure = Structure(mode=mode, generations=generations)
    defaults = {"holdout": HOLDOUT, "identities": IDENTITIES}
    generation_chain = generation_fingerprints(
        preferences, FingerprintInputs(settings=settings, structure=structure, **{**defaults, **inputs})
    )
    return [*generation_chain, best_fingerprint(generation_chain[-1], settings)]


def first_difference(changed: list[str]) -> int | None:
    """Return the first index at which a chain differs from the default one; all later ones must differ too."""
    pairs = zip(chain(), changed, strict=True)
    different = [i for i, (before, after) in enumerate(pairs) if before != after]
    assert different == list(range(different[0], len(changed))) if different else True
    return different[0] if different else None


def test_the_fingerprints_of_a_search_are_reproducible_and_distinct() -> None:
    assert chain() == chain()
    assert len(set(chain())) == 5


@pytest.mark.parametrize(
    "changed",
    [
        chain(preferences="others"),
        chain(holdout=HoldoutSettings(holdout_fraction=0.5, holdout_seed=7)),
        chain(identities=IDENTITIES | {"verifier": "another"}),
        chain(identities=IDENTITIES | {"initializer": "another"}),
        chain(mode="iterative"),
        chain(preset=rubric("clear")),
        chain(search_settings(seed=8)),
        chain(search_settings(objective={"beta": 0.7})),
        chain(search_settings(grading={"num_votes": 2})),
        chain(search_settings(grading={"finalist_votes": 5})),
        chain(search_settings(initializer={"initial_proposals": 3})),
        chain(search_settings(evolution={"population_size": 7})),
        chain(search_settings(mutation={"contrast_pairs": 2})),
    ],
)
def test_a_setting_that_affects_the_first_population_changes_every_fingerprint(changed: list[str]) -> None:
    assert first_difference(changed) == 0


@pytest.mark.parametrize("stop", [{"max_calls_per_prompt": 500}, {"distinguish_margin": 0.1}])
def test_a_stop_setting_that_affects_generation_zero_changes_every_fingerprint(stop: dict[str, float]) -> None:
    assert first_difference(chain(search_settings(stop=stop))) == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"selection": {"selection_strategy": "pareto"}},
        {"stop": {"stagnation_generations": 2}},
        {"stop": {"stop_when_distinguished": True}},
    ],
)
def test_a_setting_that_only_affects_later_generations_does_not_change_generation_zero(
    changes: dict[str, dict[str, object]],
) -> None:
    assert first_difference(chain(search_settings(**changes))) == 1


@pytest.mark.parametrize(
    "changes",
    [{"evolution": {"finalists": 1}}, {"evolution": {"refit_on_all": False}}, {"grading": {"holdout_votes": 3}}],
)
def test_a_setting_that_only_affects_the_conclusion_does_not_change_the_generations(
    changes: dict[str, dict[str, object]],
) -> None:
    assert first_difference(chain(search_settings(**changes))) == 4


def test_with_a_budget_the_votes_of_the_conclusion_affect_every_generation() -> None:
    few, many = (
        chain(search_settings(stop={"max_calls_per_prompt": 100}, grading={"holdout_votes": votes})) for votes in (1, 3)
    )

    assert not set(few) & set(many)


@pytest.mark.parametrize("limit", [3, 99])
def test_a_limit_that_is_not_reached_changes_nothing(limit: int) -> None:
    assert first_difference(chain(search_settings(stop={"max_generations": limit}))) is None


def test_a_lower_limit_does_not_change_the_generations_below_it() -> None:
    assert first_difference(chain(search_settings(stop={"max_generations": 1}))) == 2


def test_more_generations_do_not_change_the_existing_ones() -> None:
    assert chain(generations=5)[:4] == chain(generations=3)[:4]


def test_exploration_decay_depends_on_the_number_of_generations() -> None:
    decaying = search_settings(mutation={"adaptive_mutation": "exploration_decay"})

    assert chain(decaying, generations=5)[0] == chain(decaying, generations=3)[0]
    assert chain(decaying, generations=5)[1] != chain(decaying, generations=3)[1]


def test_in_a_global_batch_every_generation_depends_on_all_prompts() -> None:
    assert chain(dataset="one")[0] == chain(dataset="another")[0]
    assert chain(dataset="one")[1] != chain(dataset="another")[1]


def test_the_output_file_does_not_affect_fingerprints() -> None:
    plain = search_settings().model_dump()
    first, second = (SearchRunSettings(**plain, output=output) for output in ("first.json", "second.json"))

    assert chain(first) == chain(second) == chain()


def test_preferences_depend_on_the_prompt_the_reference_and_the_judge() -> None:
    prompt, other_prompt = prompt_with([1, 2]), prompt_with([2, 1])
    settings = ReferenceSettings(judge="auto", pairs_per_candidate=3)

    fingerprints = {
        preferences_fingerprint(prompt, settings, "judge"),
        preferences_fingerprint(other_prompt, settings, "judge"),
        preferences_fingerprint(prompt, settings.model_copy(update={"max_pairs": 3}), "judge"),
        preferences_fingerprint(prompt, settings, "another"),
    }

    assert len(fingerprints) == 4
    assert preferences_fingerprint(prompt_with([1, 2]), settings, "judge") in fingerprints
