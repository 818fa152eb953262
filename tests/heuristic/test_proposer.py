"""What the offline proposer proposes, by mutation mode."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.evaluation.measures import measure, parse_measure
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.heuristic.proposer import POOLS
from autosr_lib.heuristic.standards import SOUND
from autosr_lib.search.roles import ContrastPair, MutationMode, Proposal, ProposeRequest

ASKING = (
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
            Criterion(criterion_id=f"c{i}", text=f"C {i}", measure=one)
            for i, one in enumerate(measures or ("structure",))
        )
    )


async def propose(mode: MutationMode, rubric: Rubric, *pairs: ContrastPair, attempt: int = 0) -> Proposal:
    return await heuristic_roles(7).proposer.propose(ProposeRequest("p", PROMPT, rubric, mode, pairs, attempt))


@pytest.mark.parametrize("mode", ASKING)
async def test_a_proposed_criterion_grades_the_better_candidate_higher(mode: MutationMode) -> None:
    proposal = await propose(mode, parent(), PAIR)

    for criterion in proposal.criteria:
        assert measure(criterion.measure or "", PROMPT, BETTER) > measure(criterion.measure or "", PROMPT, WORSE)


@pytest.mark.parametrize("mode", ASKING)
async def test_the_same_request_has_the_same_answer_and_attempts_differ(mode: MutationMode) -> None:
    answers = [await propose(mode, parent(), PAIR, attempt=attempt) for attempt in range(8)]

    assert answers == [await propose(mode, parent(), PAIR, attempt=attempt) for attempt in range(8)]
    assert len({answer.criteria[-1].key for answer in answers}) > 1


@given(st.sampled_from(ASKING), TEXT, TEXT, st.integers(0, 5))
@settings(deadline=None, max_examples=80)
async def test_any_pair_gets_one_to_three_readable_criteria(
    mode: MutationMode, one: str, two: str, attempt: int
) -> None:
    rubric = parent("novelty", "length")

    proposal = await propose(mode, rubric, ContrastPair(one, two, {}, {}, "tied"), attempt=attempt)

    assert 1 <= len(proposal.criteria) <= 3
    assert all(str(parse_measure(one.measure or "")) == one.measure for one in proposal.criteria)
    assert set(proposal.replaces) <= {one.criterion_id for one in rubric.criteria}


async def test_raising_the_bar_tightens_a_ramp_of_the_parent_in_its_place() -> None:
    close = ContrastPair(BETTER, BETTER + " Nobody in town knew why.", {}, {}, "close")

    proposal = await propose(MutationMode.RAISE_BAR, parent("grounding"), close)

    old, (new,) = parse_measure("grounding"), [parse_measure(one.measure or "") for one in proposal.criteria]
    assert proposal.replaces == ("c0",)
    assert new.name == old.name
    assert new.numbers[0] > 0


async def test_decomposing_puts_parts_in_the_place_of_a_broad_criterion() -> None:
    proposal = await propose(MutationMode.DECOMPOSE, parent("faithfulness", "structure"), PAIR)

    assert proposal.replaces == ("c0",)
    assert {parse_measure(one.measure or "").name for one in proposal.criteria} <= {
        "grounding",
        "entity_consistency",
        "locality",
        "verbatim_sentences",
    }


@pytest.mark.parametrize("mode", [MutationMode.FACTUAL_FOCUS, MutationMode.ANTI_FLUFF])
async def test_a_focus_looks_only_at_its_own_measures(mode: MutationMode) -> None:
    proposals = [await propose(mode, parent(), PAIR, attempt=attempt) for attempt in range(6)]

    assert {parse_measure(one.measure or "").name for each in proposals for one in each.criteria} <= set(POOLS[mode])


async def test_a_counterexample_looks_at_the_worst_pair_alone() -> None:
    other = PAIR._replace(better_text=PAIR.worse_text, worse_text=PAIR.better_text)

    of_one = await propose(MutationMode.COUNTEREXAMPLE_TRIGGER, parent(), PAIR)
    of_two = await propose(MutationMode.COUNTEREXAMPLE_TRIGGER, parent(), PAIR, other)

    assert of_one == of_two


@pytest.mark.parametrize("mode", [MutationMode.RAISE_BAR, MutationMode.FACTUAL_FOCUS, MutationMode.ANTI_FLUFF])
async def test_nothing_is_proposed_that_only_these_pairs_speak_for(mode: MutationMode) -> None:
    upside_down = PAIR._replace(better_text=PAIR.worse_text, worse_text=PAIR.better_text)

    proposals = [await propose(mode, parent(), upside_down, attempt=attempt) for attempt in range(6)]

    asked = [parse_measure(one.measure or "") for each in proposals for one in each.criteria]
    assert not any(one.inverted for one in asked)
    assert {one.name for one in asked} <= SOUND | {"min_words"}


async def test_a_parent_without_faults_still_gets_a_new_criterion() -> None:
    proposal = await propose(MutationMode.RAISE_BAR, parent("length"))

    assert proposal.criteria[0].key not in parent("length").weight_by_key
