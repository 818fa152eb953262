"""Any settings in range and any small dataset end, in bounded steps, with a valid rubric."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.domain.rubric import Rubric
from autosr_lib.search.roles import Roles
from autosr_lib.search.settings import Mode, SearchSettings
from autosr_lib.search.state import StopReason
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier
from tests.worlds import context_of, run, search_settings

SHARE = st.floats(0, 1)

OBJECTIVE = {
    "pairs": st.sampled_from(["tail_weighted", "tail_touching", "rubric_tail"]),
    "beta": st.floats(1e-3, 100),
    "tail_fraction": SHARE,
    "lambda_var": st.floats(0, 5),
    "mu_diverse": st.floats(0, 5),
    "pair_confidence_prior": st.floats(0, 100),
    "tie_credit": SHARE,
    "tie_tolerance": st.floats(0, 0.5),
}
GRADING = {
    "num_votes": st.integers(1, 3),
    "finalist_votes": st.integers(0, 2),
    "holdout_votes": st.integers(1, 4),
    "aggregate": st.sampled_from(["mean", "median", "majority"]),
    "grading": st.sampled_from(["pooled", "per_rubric", "per_criterion"]),
    "criteria_per_call": st.integers(1, 12),
}
EVOLUTION = {
    "population_size": st.integers(1, 9),
    "mutations_per_round": st.integers(0, 7),
    "mutation_parent_count": st.integers(1, 9),
    "elitism_count": st.integers(1, 9),
    "free_modes": st.lists(st.sampled_from(["reweight", "prune", "crossover", "gather"]), unique=True).map(tuple),
    "racing": st.booleans(),
    "max_criteria": st.integers(1, 9),
    "finalists": st.integers(1, 9),
    "refit_on_all": st.booleans(),
}
SELECTION = {
    "selection_strategy": st.sampled_from(["rank", "tournament", "top_k", "pareto"]),
    "tournament_size": st.integers(1, 20),
    "tournament_p": SHARE,
    "top_k_ratio": st.floats(0.01, 1),
    "diversity_weight": SHARE,
}
MUTATION = {
    "adaptive_mutation": st.sampled_from(["fixed", "success_feedback", "exploration_decay", "diversity_driven"]),
    "mutation_window_size": st.integers(1, 20),
    "min_mutation_weight": SHARE,
    "exploration_phase_ratio": SHARE,
    "diversity_threshold": SHARE,
    "contrast": st.sampled_from([None, "rtd", "misordered"]),
    "contrast_pairs": st.integers(1, 9),
}
STOP = {
    "max_generations": st.none() | st.integers(0, 4),
    "stagnation_generations": st.integers(0, 3),
    "stop_when_distinguished": st.booleans(),
    "distinguish_margin": st.none() | st.floats(0, 0.3),
    "max_calls_per_prompt": st.none() | st.integers(200, 400),
}
SETTINGS = st.builds(
    search_settings,
    seed=st.integers(0, 2**63),
    objective=st.fixed_dictionaries(OBJECTIVE),
    grading=st.fixed_dictionaries(GRADING),
    initializer=st.fixed_dictionaries({"initial_proposals": st.integers(0, 6)}),
    evolution=st.fixed_dictionaries(EVOLUTION),
    selection=st.fixed_dictionaries(SELECTION),
    mutation=st.fixed_dictionaries(MUTATION),
    refinement=st.fixed_dictionaries({"accept_only_if_improve": st.booleans()}),
    stop=st.fixed_dictionaries(STOP),
)


@st.composite
def prompts(draw: st.DrawFn) -> Prompt:
    """Return a prompt of 2 to 8 candidates, labelled by rank, by quality or not at all; candidates may be equal."""
    n, kinds = draw(st.integers(2, 8)), draw(st.integers(0, 5))
    grade = st.sampled_from([0.0, 0.2, 0.5, 0.9, 1.0])
    labels: list[dict[str, Any]] = draw(
        st.lists(st.builds(lambda q: {"quality": q}, st.integers(0, 4)), min_size=n, max_size=n)
        | st.lists(st.builds(lambda r: {"rank": r}, st.integers(1, 4)), min_size=n, max_size=n)
        | st.just([{}] * n)
    )
    return Prompt(
        prompt_id=draw(st.text(min_size=1, max_size=4)),
        prompt=draw(st.text(max_size=10)),
        candidates=tuple(
            Candidate(
                candidate_id=f"{draw(st.text(max_size=2))}{i}",
                text=" ".join(f"a{k}={draw(grade)}" for k in range(kinds)) or draw(st.text(max_size=10)),
                source=draw(st.sampled_from(["", "x", "y"])),
                metadata=labels[i],
            )
            for i in range(n)
        ),
    )


def check(
    prompt: Prompt, chosen: SearchSettings, *, mode: Mode, generations: int, holdout: float, failing: float
) -> None:
    verifier, proposer = FakeVerifier(0.6, failing), FakeProposer()
    roles = Roles(FakeInitializer(), proposer, verifier, FakeJudge())
    context = context_of(prompt, roles, chosen, generations=generations, mode=mode, holdout=holdout)

    state, conclusion = run(context)

    rounds = min(generations, 99 if chosen.stop.max_generations is None else chosen.stop.max_generations)
    children = max(chosen.evolution.mutations_per_round, 1) * rounds + chosen.initializer.initial_proposals
    assert len(proposer.requests) <= children
    assert state.generation == generations
    assert len(state.history) <= rounds + 1
    for rubric in (
        conclusion.rubric,
        conclusion.measured_rubric,
        *(individual.rubric for individual in state.population),
    ):
        assert Rubric.model_validate(rubric.model_dump()) == rubric
        assert sum(rubric.weights) == pytest.approx(1)
    assert set(conclusion.rubric.keys) <= set(conclusion.measured_rubric.keys)
    assert 1 <= len(state.population) <= max(chosen.evolution.population_size, 1)
    low, high = -0.25 * chosen.objective.lambda_var, 1 + chosen.objective.mu_diverse
    for individual in state.population:
        assert low - 1e-9 <= individual.evaluation.objective <= high + 1e-9
    assert conclusion.stopped in set(StopReason)
    assert conclusion.best_candidate_id in {candidate.candidate_id for candidate in prompt.candidates}
    touching, unseen = conclusion.holdout.touching, conclusion.holdout.unseen
    assert 0 <= touching.best <= touching.pairs
    assert 0 <= unseen.best <= unseen.pairs <= touching.pairs
    assert chosen.stop.max_calls_per_prompt is None or (state.calls + conclusion.calls).total <= (
        chosen.stop.max_calls_per_prompt
    )


ARGUMENTS = {
    "prompt": prompts(),
    "chosen": SETTINGS,
    "mode": st.sampled_from(Mode),
    "generations": st.integers(0, 4),
    "holdout": st.sampled_from([0.0, 0.25, 0.5]),
    "failing": st.sampled_from([0.0, 0.0, 0.3, 1.0]),
}


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(**ARGUMENTS)
def test_any_settings_and_any_small_prompt_end_with_a_valid_rubric(
    *, prompt: Prompt, chosen: SearchSettings, mode: Mode, generations: int, holdout: float, failing: float
) -> None:
    check(prompt, chosen, mode=mode, generations=generations, holdout=holdout, failing=failing)


@pytest.mark.slow
@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(**ARGUMENTS)
def test_many_settings_and_many_small_prompts_end_with_a_valid_rubric(
    *, prompt: Prompt, chosen: SearchSettings, mode: Mode, generations: int, holdout: float, failing: float
) -> None:
    check(prompt, chosen, mode=mode, generations=generations, holdout=holdout, failing=failing)


@pytest.mark.parametrize("mode", Mode)
def test_a_prompt_of_two_equal_candidates_can_be_searched(mode: Mode) -> None:
    twin = Candidate(candidate_id="a", text="", metadata={"rank": 1})
    prompt = Prompt(prompt_id="p", prompt="", candidates=(twin, twin.model_copy(update={"candidate_id": "b"})))

    check(prompt, search_settings(grading={"num_votes": 2}), mode=mode, generations=2, holdout=0.25, failing=0.0)
