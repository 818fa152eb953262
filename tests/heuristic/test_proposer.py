"""The heuristic proposer's criteria, by mutation mode."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.measures import Measure, measure, parse_measure
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.heuristic.proposer import POOLS
from autosr_lib.heuristic.standards import SOUND
from autosr_lib.search.roles import ContrastPair, MutationMode, Proposal, ProposeRequest

PROPOSING_MODES = (
    MutationMode.RAISE_BAR,
    MutationMode.DECOMPOSE,
    MutationMode.FACTUAL_FOCUS,
    MutationMode.ANTI_FLUFF,
    MutationMode.COUNTEREXAMPLE_TRIGGER,
)
PROMPT = (
    "Summarize the article.\n\nThe harbour of Lisbon reopened on Monday after the storm damaged three cranes. "
    "Mayor Ana Silva thanked the workers who repaired the cranes. The storm had closed the harbour for nine days."
)
BETTER = "The harbour of Lisbon reopened on Monday after the storm damaged three cranes."
WORSE = "Certainly! The town, the town, the town had a volcano in Madrid. I hope this helps"
PAIR = ContrastPair(BETTER, WORSE, {}, {}, "misordered")
TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=120)


def parent(*measures: str) -> Rubric:
    return Rubric(
        criteria=tuple(
            Criterion(criterion_id=f"c{i}", text=f"C {i}", measure=spec)
            for i, spec in enumerate(measures or ("structure",))
        )
    )


def measures_of(*proposals: Proposal) -> list[Measure]:
    return [parse_measure(criterion.measure or "") for proposal in proposals for criterion in proposal.criteria]


async def propose(mode: MutationMode, rubric: Rubric, *pairs: ContrastPair, attempt: int = 0) -> Proposal:
    return await heuristic_roles(7).proposer.propose(ProposeRequest("p", PROMPT, rubric, mode, pairs, attempt))


@pytest.mark.parametrize("mode", PROPOSING_MODES)
async def test_a_proposed_criterion_grades_the_better_candidate_higher(mode: MutationMode) -> None:
    proposal = await propose(mode, parent(), PAIR)

    for criterion in proposal.criteria:
        assert measure(criterion.measure or "", PROMPT, BETTER) > measure(criterion.measure or "", PROMPT, WORSE)


@pytest.mark.parametrize("mode", PROPOSING_MODES)
async def test_the_same_request_gets_the_same_proposal_and_attempts_differ(mode: MutationMode) -> None:
    proposals = [await propose(mode, parent(), PAIR, attempt=attempt) for attempt in range(8)]

    assert proposals == [await propose(mode, parent(), PAIR, attempt=attempt) for attempt in range(8)]
    assert len({proposal.criteria[-1].key for proposal in proposals}) > 1


@given(st.sampled_from(PROPOSING_MODES), TEXT, TEXT, st.integers(0, 5))
@settings(deadline=None, max_examples=80)
async def test_any_pair_gets_one_to_three_criteria_with_valid_measures(
    mode: MutationMode, better: str, worse: str, attempt: int
) -> None:
    rubric = parent("novelty", "length")

    proposal = await propose(mode, rubric, ContrastPair(better, worse, {}, {}, "tied"), attempt=attempt)

    assert 1 <= len(proposal.criteria) <= 3
    assert [str(parsed) for parsed in measures_of(proposal)] == [criterion.measure for criterion in proposal.criteria]
    assert set(proposal.replaces) <= {criterion.criterion_id for criterion in rubric.criteria}


async def test_raising_the_bar_replaces_a_criterion_by_one_with_a_narrower_ramp() -> None:
    close = ContrastPair(BETTER, BETTER + " Nobody in town knew why.", {}, {}, "close")

    proposal = await propose(MutationMode.RAISE_BAR, parent("grounding"), close)

    (tightened,) = measures_of(proposal)
    assert proposal.replaces == ("c0",)
    assert tightened.name == "grounding"
    assert tightened.numbers[0] > 0


async def test_decomposing_replaces_a_broad_criterion_by_narrower_ones() -> None:
    proposal = await propose(MutationMode.DECOMPOSE, parent("faithfulness", "structure"), PAIR)

    assert proposal.replaces == ("c0",)
    assert {measure.name for measure in measures_of(proposal)} <= {
        "grounding",
        "entity_consistency",
        "locality",
        "verbatim_sentences",
    }


@pytest.mark.parametrize("mode", [MutationMode.FACTUAL_FOCUS, MutationMode.ANTI_FLUFF])
async def test_a_focused_mode_uses_only_its_own_measures(mode: MutationMode) -> None:
    proposals = [await propose(mode, parent(), PAIR, attempt=attempt) for attempt in range(6)]

    assert {measure.name for measure in measures_of(*proposals)} <= set(POOLS[mode])


async def test_a_counterexample_uses_only_the_first_pair() -> None:
    second = PAIR._replace(better_text=PAIR.worse_text, worse_text=PAIR.better_text)

    with_one_pair = await propose(MutationMode.COUNTEREXAMPLE_TRIGGER, parent(), PAIR)
    with_two_pairs = await propose(MutationMode.COUNTEREXAMPLE_TRIGGER, parent(), PAIR, second)

    assert with_one_pair == with_two_pairs


@pytest.mark.parametrize("mode", [MutationMode.RAISE_BAR, MutationMode.FACTUAL_FOCUS, MutationMode.ANTI_FLUFF])
async def test_even_for_pairs_that_favour_a_bad_text_only_sound_measures_are_proposed(mode: MutationMode) -> None:
    upside_down = PAIR._replace(better_text=PAIR.worse_text, worse_text=PAIR.better_text)

    proposals = [await propose(mode, parent(), upside_down, attempt=attempt) for attempt in range(6)]

    measures = measures_of(*proposals)
    assert not any(measure.inverted for measure in measures)
    assert {measure.name for measure in measures} <= SOUND | {"min_words"}


async def test_without_pairs_a_parent_still_gets_a_new_criterion() -> None:
    proposal = await propose(MutationMode.RAISE_BAR, parent("length"))

    assert proposal.criteria[0].key not in parent("length").weight_by_key
