"""The evolutionary search (docs/method.md §7): one generation of one prompt."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import ReplyError
from autosr_lib.evaluation.arrays import FloatArray
from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.evaluation.objective import margins, pair_credit
from autosr_lib.evaluation.settings import Grading
from autosr_lib.search.budget import children_within, needs_within, proposals_within
from autosr_lib.search.contrast import Contrasted, choose_pairs, show_pairs
from autosr_lib.search.grading import grade, missing, parcels, whole_cost
from autosr_lib.search.mutation import apply_proposal, as_stored, crossover, gather, perturb_weights, prune, reweight
from autosr_lib.search.population import (
    Ancestor,
    Individual,
    by_merit,
    diversity,
    evaluate_rubrics,
    score_rubrics,
    survive,
)
from autosr_lib.search.racing import first_heat, winners
from autosr_lib.search.randomness import generator
from autosr_lib.search.roles import MutationMode, ProposeRequest
from autosr_lib.search.schedule import choose_modes
from autosr_lib.search.selection import select_parents
from autosr_lib.search.state import Calls, SearchContext, State, StopReason


@dataclass(frozen=True)
class Child:
    """A rubric that is not evaluated yet, who it comes from, and the pairs that it was written for."""

    rubric: Rubric
    parent: Individual
    mode: MutationMode
    pairs: tuple[Contrasted, ...]
    attempt: int
    """Its number among the children of its generation."""

    @property
    def new_keys(self) -> frozenset[str]:
        """Return the keys of the criteria that the parent lacks."""
        return frozenset(self.rubric.weight_by_key.keys() - self.parent.rubric.weight_by_key.keys())


async def evolve(context: SearchContext, state: State) -> State:
    """Return the state after one more generation: select, vary, evaluate, survive."""
    settings, generation = context.settings, state.generation + 1
    prompt_id = context.prepared.prompt.prompt_id
    scores = _visible_scores(context, state.bank, [one.rubric for one in state.population])
    credit = pair_credit(margins(scores, context.prepared.reference), settings.objective)
    rng = generator(settings.seed, prompt_id, generation, "selection")
    parents = select_parents(
        state.population, settings.evolution.mutation_parent_count, settings.selection, rng, credit
    )
    modes = choose_modes(
        settings.evolution.mutations_per_round,
        settings.mutation,
        generation=generation,
        generations=context.structure.generations,
        diversity=diversity(state.population),
        history=state.ancestors,
        rng=generator(settings.seed, prompt_id, generation, "schedule"),
    )
    return await breed(context, state, parents, modes)


async def breed(
    context: SearchContext, state: State, parents: Sequence[Individual], modes: Sequence[MutationMode]
) -> State:
    """Return the state after the children of these parents, one a mode, have met the population."""
    generation = state.generation + 1
    paid_for = proposals_within(context, state.calls, modes)
    children, proposing = await _make_children(context, state, parents, paid_for)
    written = (c.model_copy(update={"weight": 1.0}) for child in children for c in child.rubric.criteria)
    bank = state.bank.with_criteria(written, context.prepared.texts)
    count = children_within(context, state.calls + proposing, bank, [child.rubric for child in children])
    is_short = len(paid_for) < len(modes) or count < len(children)
    entered = children[:count]
    bank, racing, children = await _race(context, bank, entered)
    lost = _lost(entered, children, generation)
    # What the population lacks stayed ungraded before; it is asked for again where that can be paid.
    wanting = [*(child.rubric for child in children), *(one.rubric for one in state.population)]
    bank, grading = await grade(context, bank, needs_within(context, state.calls + proposing + racing, bank, wanting))
    made = _evaluate_children(context, bank, children, generation)
    population = _refreshed(context, bank, state.population, grading)
    free = _free_variants(context, bank, [*population, *made], generation)
    everyone = [*made, *free]
    whole = whole_cost(context, (one.rubric for one in everyone), len(context.prepared.visible), len(context.votes))
    calls = proposing + racing + grading
    calls += Calls(saved_by_bank=max(0, whole - racing.verifier - grading.verifier - racing.saved_by_racing))
    size, elitism = context.settings.evolution.population_size, context.settings.evolution.elitism_count
    survivors = survive(population, everyone, size, elitism)
    names = {one.fingerprint for one in survivors}
    known = {one.fingerprint for one in state.ancestors}
    fresh = [one for one in _first_come(everyone) if one.fingerprint not in known]
    is_better = survivors[0].evaluation.merit > population[0].evaluation.merit
    return replace(
        state,
        generation=generation,
        population=survivors,
        initial=next((one for one in population if one.is_same_as(state.initial)), state.initial),
        bank=bank,
        ancestors=(*state.ancestors, *lost, *(Ancestor.of(one) for one in fresh)),
        calls=state.calls + calls,
        last_calls=calls,
        tried=dict(sorted(Counter(str(one.operator) for one in fresh).items())),
        kept=dict(sorted(Counter(str(one.operator) for one in fresh if one.fingerprint in names).items())),
        stagnation=0 if is_better else state.stagnation + 1,
        stopped=StopReason.BUDGET if is_short else None,
    )


def _first_come(individuals: Sequence[Individual]) -> list[Individual]:
    """Return the individuals in their order, without those whose rubric came before."""
    first: dict[str, Individual] = {}
    for one in individuals:
        first.setdefault(one.fingerprint, one)
    return list(first.values())


def _visible_scores(context: SearchContext, bank: GradeBank, rubrics: Sequence[Rubric]) -> FloatArray:
    places, votes = context.prepared.visible.tolist(), context.votes
    return score_rubrics(rubrics, bank, places, votes, context.settings.grading.aggregate).score


async def _make_children(
    context: SearchContext, state: State, parents: Sequence[Individual], modes: Sequence[MutationMode]
) -> tuple[list[Child], Calls]:
    """Return the children that say something new, and the requests that proposing took.

    All children of a generation are proposed before any is graded, so that their criteria can share requests.
    """
    scores = _visible_scores(context, state.bank, [parent.rubric for parent in parents])
    plans = []
    for attempt, mode in enumerate(modes):
        place, round_ = attempt % len(parents), attempt // len(parents)
        pairs = choose_pairs(
            scores[place], context.prepared, context.contrast, context.settings.mutation.contrast_pairs, round_
        )
        plans.append((attempt, mode, parents[place], pairs))
    rubrics = await asyncio.gather(*(_propose(context, state, *plan) for plan in plans))
    asked = sum(mode is not MutationMode.WEIGHT_PERTURB for mode in modes)
    failed = sum(isinstance(rubric, ReplyError) for rubric in rubrics)
    children, known = [], {one.fingerprint for one in state.population}
    for (attempt, mode, parent, pairs), rubric in zip(plans, rubrics, strict=True):
        if isinstance(rubric, Rubric) and rubric.fingerprint not in known:
            known.add(rubric.fingerprint)
            children.append(Child(rubric, parent, mode, pairs, attempt))
    return children, Calls(proposer=asked, failed=failed)


async def _propose(
    context: SearchContext,
    state: State,
    attempt: int,
    mode: MutationMode,
    parent: Individual,
    pairs: tuple[Contrasted, ...],
) -> Rubric | ReplyError | None:
    prompt, generation = context.prepared.prompt, state.generation + 1
    if mode is MutationMode.WEIGHT_PERTURB:
        rng = generator(context.settings.seed, prompt.prompt_id, generation, "weight_perturb", attempt)
        return perturb_weights(parent.rubric, rng)
    shown = show_pairs(pairs, parent.rubric, state.bank, context.prepared)
    number = generation * 1000 + attempt
    request = ProposeRequest(prompt.prompt_id, prompt.prompt, parent.rubric, mode, shown, number)
    try:
        proposal = await context.roles.proposer.propose(request)
    except ReplyError as error:
        return error
    return apply_proposal(parent.rubric, proposal, context.settings.evolution.max_criteria)


async def _race(context: SearchContext, bank: GradeBank, children: list[Child]) -> tuple[GradeBank, Calls, list[Child]]:
    """Return the bank with the first heat's grades, its calls and what it saved, and the children that won."""
    if not context.settings.evolution.racing:
        return bank, Calls(), children
    places, votes = context.prepared.visible.tolist(), context.votes
    needs = missing(bank, (child.rubric for child in children), places, votes)
    is_pooled = context.settings.grading.grading is Grading.POOLED
    heat = first_heat(needs, [(child.new_keys, child.pairs) for child in children], is_pooled=is_pooled)
    bank, calls = await grade(context, bank, heat)
    left_before = parcels(context, missing(bank, (child.rubric for child in children), places, votes))
    survivors, known = [], set[str]()
    for child in children:
        rubric = winners(child.rubric, child.new_keys, child.pairs, bank) if child.new_keys else child.rubric
        if rubric is not None and rubric.fingerprint not in known:
            known.add(rubric.fingerprint)
            survivors.append(replace(child, rubric=rubric))
    left_after = parcels(context, missing(bank, (child.rubric for child in survivors), places, votes))
    return bank, calls + Calls(saved_by_racing=len(left_before) - len(left_after)), survivors


def _lost(entered: Sequence[Child], survivors: Sequence[Child], generation: int) -> list[Ancestor]:
    """Return the memory of the children whose new criteria all lost their race: their mode tried, and gained nothing."""
    left = {child.attempt for child in survivors}
    return [
        Ancestor(
            child.rubric.fingerprint,
            child.mode,
            generation,
            (child.parent.fingerprint,),
            None,
            0.0,
            child.rubric.weight_by_key,
        )
        for child in entered
        if child.attempt not in left
    ]


def _evaluate_children(
    context: SearchContext, bank: GradeBank, children: Sequence[Child], generation: int
) -> list[Individual]:
    """Return the children as individuals; where `reweight` is free, their weights are fitted at birth."""
    is_fitted = MutationMode.REWEIGHT in context.settings.evolution.free_modes
    votes, aggregate = context.votes, context.settings.grading.aggregate
    rubrics = [
        reweight(child.rubric, bank, context.prepared, votes, aggregate)
        if is_fitted and child.new_keys
        else child.rubric
        for child in children
    ]
    rubrics = [as_stored(rubric, bank) for rubric in rubrics]
    found = evaluate_rubrics(rubrics, bank, context.prepared, votes, aggregate)
    return [
        Individual(
            rubric,
            evaluation,
            child.mode,
            generation,
            (child.parent.fingerprint,),
            evaluation.objective - child.parent.evaluation.objective,
        )
        for rubric, evaluation, child in zip(rubrics, found, children, strict=True)
    ]


def _refreshed(
    context: SearchContext, bank: GradeBank, population: Sequence[Individual], grading: Calls
) -> tuple[Individual, ...]:
    """Return the population, evaluated again when grades that it lacked may have come in."""
    if all(one.evaluation.is_complete for one in population) or not grading.verifier:
        return tuple(population)
    votes, aggregate = context.votes, context.settings.grading.aggregate
    found = evaluate_rubrics([one.rubric for one in population], bank, context.prepared, votes, aggregate)
    return tuple(by_merit(replace(one, evaluation=e) for one, e in zip(population, found, strict=True)))


def _free_variants(
    context: SearchContext, bank: GradeBank, everyone: Sequence[Individual], generation: int
) -> list[Individual]:
    """Return what re-weighting, pruning and crossing the best makes of what has been graded: no call is needed."""
    modes = context.settings.evolution.free_modes
    prepared, votes, aggregate = context.prepared, context.votes, context.settings.grading.aggregate
    best = by_merit(everyone)[: max(2, context.settings.evolution.mutation_parent_count)]
    made: list[tuple[Rubric, MutationMode, tuple[Individual, ...]]] = []
    if MutationMode.REWEIGHT in modes:
        made += [
            (reweight(one.rubric, bank, prepared, votes, aggregate), MutationMode.REWEIGHT, (one,)) for one in best
        ]
    if MutationMode.PRUNE in modes:
        pruned = [(prune(one.rubric, bank, prepared, votes, aggregate), one) for one in best]
        made += [(rubric, MutationMode.PRUNE, (one,)) for rubric, one in pruned if rubric is not None]
    if MutationMode.CROSSOVER in modes and len(best) > 1:
        crossed = crossover(
            best[0].rubric, best[1].rubric, bank, prepared, votes, aggregate, context.settings.evolution.max_criteria
        )
        if MutationMode.REWEIGHT in modes:
            crossed = reweight(crossed, bank, prepared, votes, aggregate)
        made.append((crossed, MutationMode.CROSSOVER, (best[0], best[1])))
    is_gathering = MutationMode.GATHER in modes
    gathered = (
        gather(bank, prepared, votes, aggregate, context.settings.evolution.max_criteria) if is_gathering else None
    )
    if gathered is not None:
        born = [one for one in everyone if one.generation == generation]
        made.append((gathered, MutationMode.GATHER, (best[0], *(one for one in born if one is not best[0]))))
    made = [(as_stored(rubric, bank), mode, parents) for rubric, mode, parents in made]
    found = evaluate_rubrics([rubric for rubric, _, _ in made], bank, prepared, votes, aggregate)
    return [
        Individual(
            rubric,
            evaluation,
            mode,
            generation,
            tuple(parent.fingerprint for parent in parents),
            evaluation.objective - max(parent.evaluation.objective for parent in parents),
        )
        for (rubric, mode, parents), evaluation in zip(made, found, strict=True)
    ]
