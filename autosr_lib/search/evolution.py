"""The evolutionary search (docs/method.md §7): one generation of one prompt, in six phases.

| phase | function | result |
|---|---|---|
| select | `select` | the parents and the mutation mode of each child |
| propose | `propose_children` | the children, before any is graded |
| grade | `grade_children` | the children that the budget pays for, and their grades |
| evaluate | `evaluate_generation` | population and children, evaluated on the same grades |
| derive free variants | `derive_variants` | more rubrics, made from existing grades without a request |
| survive | `survive` | the next state, with the best of all of them |

`evolve` is a complete generation. Generation 0 and the iterative baseline select in their own way, and share the other
phases: `run_generation`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from autosr_lib.domain.rubric import Criterion
from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.evaluation.objective import margins, pair_credit
from autosr_lib.search.budget import affordable_needs, affordable_rubrics
from autosr_lib.search.children import Child, ProposedChildren, propose_children
from autosr_lib.search.context import SearchContext
from autosr_lib.search.free_mutations import reweight
from autosr_lib.search.free_variants import derive_variants
from autosr_lib.search.graded_prompt import GradedPrompt
from autosr_lib.search.grading import grade, requests_without_bank
from autosr_lib.search.population import Ancestor, Individual, by_merit, choose_survivors, distinct, diversity
from autosr_lib.search.racing import RaceResult, race
from autosr_lib.search.randomness import generator
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.rubric_edits import in_stored_form
from autosr_lib.search.schedule import ScheduleInputs, choose_modes
from autosr_lib.search.selection import Selection, select_parents
from autosr_lib.search.state import Calls, SearchState, StopReason


@dataclass(frozen=True)
class GradedChildren:
    """The children of a generation after grading."""

    children: tuple[Child, ...]
    eliminated: tuple[Child, ...]
    """Children that lost all new criteria in the race, or became equal to a sibling by losing some."""
    bank: GradeBank
    calls: Calls
    """Of proposing, racing and grading."""
    is_population_graded: bool
    """Whether grades that the population lacked may have been added."""
    is_limited: bool
    """Whether the prompt's budget was too small for every selected child."""


@dataclass(frozen=True)
class EvaluatedGeneration:
    """The population and the children of a generation, evaluated on the same grades."""

    population: tuple[Individual, ...]
    children: tuple[Individual, ...]

    @property
    def individuals(self) -> list[Individual]:
        """Return the population, then the children."""
        return [*self.population, *self.children]


async def evolve(context: SearchContext, state: SearchState) -> SearchState:
    """Return the state after one more generation, in all six phases."""
    return await run_generation(context, state, select(context, state))


def select(context: SearchContext, state: SearchState) -> Selection:
    """Return the parents of the next generation and the mutation mode of each child."""
    settings, generation = context.settings, state.generation + 1
    prompt_id = context.prepared.prompt.prompt_id
    scores = context.graded(state.bank).score([individual.rubric for individual in state.population]).score
    credit = pair_credit(margins(scores, context.prepared.reference), settings.objective)
    rng = generator(settings.seed, prompt_id, generation, "selection")
    parents = select_parents(
        state.population, settings.evolution.mutation_parent_count, settings.selection, rng, credit
    )
    inputs = ScheduleInputs(generation, context.structure.generations, diversity(state.population), state.ancestors)
    rng = generator(settings.seed, prompt_id, generation, "schedule")
    return Selection(parents, choose_modes(settings.evolution.mutations_per_round, settings.mutation, inputs, rng))


async def run_generation(context: SearchContext, state: SearchState, selection: Selection) -> SearchState:
    """Return the state after a generation with the selected parents and mutation modes: the phases after `select`."""
    proposed = await propose_children(context, state, selection)
    graded = await grade_children(context, state, proposed)
    evaluated = evaluate_generation(context, state, graded)
    variants = derive_variants(context, graded.bank, evaluated.individuals, state.generation + 1)
    return survive(context, state, graded, evaluated, variants)


async def grade_children(context: SearchContext, state: SearchState, proposed: ProposedChildren) -> GradedChildren:
    """Return the children that the budget pays for, raced if the settings say so, and the bank with their grades."""
    bank = state.bank.with_criteria(_unweighted_criteria(proposed.children), context.prepared.texts)
    calls = proposed.calls
    count = affordable_rubrics(context, state.calls + calls, bank, [child.rubric for child in proposed.children])
    entered = proposed.children[:count]
    raced = RaceResult(entered, bank, Calls())
    if context.settings.evolution.racing:
        raced = await race(context, bank, entered)
    calls += raced.calls
    # Grades that the population still lacks are requested again if the budget allows it.
    rubrics = [child.rubric for child in raced.survivors] + [individual.rubric for individual in state.population]
    needs = affordable_needs(context, state.calls + calls, raced.bank, rubrics)
    bank, grading = await grade(context, raced.bank, needs)
    surviving_attempts = {child.plan.attempt for child in raced.survivors}
    return GradedChildren(
        children=raced.survivors,
        eliminated=tuple(child for child in entered if child.plan.attempt not in surviving_attempts),
        bank=bank,
        calls=calls + grading,
        is_population_graded=grading.verifier > 0,
        is_limited=proposed.is_limited or count < len(proposed.children),
    )


def evaluate_generation(context: SearchContext, state: SearchState, graded: GradedChildren) -> EvaluatedGeneration:
    """Return the population and the children with their evaluations on the same grades.

    If `reweight` is a free mode, the weights of children with new criteria are fitted first.
    """
    prompt, population = context.graded(graded.bank), state.population
    if graded.is_population_graded:
        population = _reevaluate(prompt, population)
    is_fitted = MutationMode.REWEIGHT in context.settings.evolution.free_modes
    fitted = [
        reweight(child.rubric, prompt) if is_fitted and child.new_keys else child.rubric for child in graded.children
    ]
    rubrics = [in_stored_form(rubric, graded.bank) for rubric in fitted]
    children = [
        Individual(
            rubric,
            evaluation,
            child.plan.mode,
            state.generation + 1,
            (child.plan.parent.fingerprint,),
            evaluation.objective - child.plan.parent.evaluation.objective,
        )
        for rubric, evaluation, child in zip(rubrics, prompt.evaluate(rubrics), graded.children, strict=True)
    ]
    return EvaluatedGeneration(population, tuple(children))


def _reevaluate(graded: GradedPrompt, population: tuple[Individual, ...]) -> tuple[Individual, ...]:
    """Return the population with new evaluations if any individual lacked grades."""
    if all(individual.evaluation.is_complete for individual in population):
        return population
    evaluations = graded.evaluate([individual.rubric for individual in population])
    pairs = zip(population, evaluations, strict=True)
    return tuple(by_merit(replace(individual, evaluation=evaluation) for individual, evaluation in pairs))


def survive(
    context: SearchContext,
    state: SearchState,
    graded: GradedChildren,
    evaluated: EvaluatedGeneration,
    variants: Sequence[Individual],
) -> SearchState:
    """Return the state after the generation; its population are the best of population, children and variants."""
    evolution, population = context.settings.evolution, evaluated.population
    created = [*evaluated.children, *variants]
    survivors = choose_survivors(population, created, evolution.population_size, evolution.elitism_count)
    recorded = {ancestor.fingerprint for ancestor in state.ancestors}
    new = [individual for individual in distinct(created) if individual.fingerprint not in recorded]
    eliminated = _eliminated_ancestors(graded.eliminated, state.generation + 1)
    calls = graded.calls + _saved_by_bank(context, graded.calls, created)
    is_improved = survivors[0].evaluation.merit > population[0].evaluation.merit
    return replace(
        state,
        generation=state.generation + 1,
        population=survivors,
        initial=next((individual for individual in population if individual.is_same_as(state.initial)), state.initial),
        bank=graded.bank,
        ancestors=(*state.ancestors, *eliminated, *map(Ancestor.of, new)),
        calls=state.calls + calls,
        last_calls=calls,
        tried=_count_by_operator(new),
        kept=_count_by_operator(_surviving(new, survivors)),
        stagnation=0 if is_improved else state.stagnation + 1,
        stopped=StopReason.BUDGET if graded.is_limited else None,
    )


def _saved_by_bank(context: SearchContext, calls: Calls, created: Iterable[Individual]) -> Calls:
    """Return the verifier requests saved, compared with complete grading of each created rubric."""
    without_bank = requests_without_bank(context, (individual.rubric for individual in created))
    return Calls(saved_by_bank=max(0, without_bank - calls.verifier - calls.saved_by_racing))


def _unweighted_criteria(children: Iterable[Child]) -> Iterable[Criterion]:
    """Yield the children's criteria with weight 1, as the bank stores them."""
    return (c.model_copy(update={"weight": 1.0}) for child in children for c in child.rubric.criteria)


def _eliminated_ancestors(children: Iterable[Child], generation: int) -> list[Ancestor]:
    """Return the records of children eliminated by racing: their mode was tried and gained nothing."""
    return [
        Ancestor(
            fingerprint=child.rubric.fingerprint,
            operator=child.plan.mode,
            generation=generation,
            parents=(child.plan.parent.fingerprint,),
            objective=None,
            gain=0.0,
            weights=child.rubric.weight_by_key,
        )
        for child in children
    ]


def _surviving(individuals: Iterable[Individual], survivors: Iterable[Individual]) -> list[Individual]:
    fingerprints = {individual.fingerprint for individual in survivors}
    return [individual for individual in individuals if individual.fingerprint in fingerprints]


def _count_by_operator(individuals: Iterable[Individual]) -> dict[str, int]:
    return dict(sorted(Counter(str(individual.operator) for individual in individuals).items()))
