"""Free variants: the phase of a generation that derives rubrics from grades in the bank, without any request."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from autosr_lib.domain.rubric import Rubric
from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.search.context import SearchContext
from autosr_lib.search.free_mutations import crossover, gather, prune, reweight
from autosr_lib.search.graded_prompt import GradedPrompt
from autosr_lib.search.population import Individual, by_merit
from autosr_lib.search.roles import MutationMode
from autosr_lib.search.rubric_edits import in_stored_form
from autosr_lib.search.settings import EvolutionSettings


class Variant(NamedTuple):
    """A derived rubric that is not evaluated yet."""

    rubric: Rubric
    mode: MutationMode
    parents: tuple[Individual, ...]


def derive_variants(
    context: SearchContext, bank: GradeBank, individuals: Sequence[Individual], generation: int
) -> list[Individual]:
    """Return what the free modes in the settings make of the best individuals, evaluated.

    Args:
        context: of the search.
        bank: the grades after this generation's grading.
        individuals: the population and the children of this generation.
        generation: the number of this generation.
    """
    graded, evolution = context.graded(bank), context.settings.evolution
    best = by_merit(individuals)[: max(2, evolution.mutation_parent_count)]
    newborn = [individual for individual in individuals if individual.generation == generation]
    variants = [
        variant._replace(rubric=in_stored_form(variant.rubric, bank))
        for variant in _variants(evolution, graded, best, newborn)
    ]
    evaluations = graded.evaluate([variant.rubric for variant in variants])
    return [
        Individual(
            variant.rubric,
            evaluation,
            variant.mode,
            generation,
            tuple(parent.fingerprint for parent in variant.parents),
            evaluation.objective - max(parent.evaluation.objective for parent in variant.parents),
        )
        for variant, evaluation in zip(variants, evaluations, strict=True)
    ]


def _variants(
    evolution: EvolutionSettings, graded: GradedPrompt, best: Sequence[Individual], newborn: Sequence[Individual]
) -> Iterable[Variant]:
    """Yield the variants of each free mode in turn."""
    modes = evolution.free_modes
    if MutationMode.REWEIGHT in modes:
        for parent in best:
            yield Variant(reweight(parent.rubric, graded), MutationMode.REWEIGHT, (parent,))
    if MutationMode.PRUNE in modes:
        for parent in best:
            if (pruned := prune(parent.rubric, graded)) is not None:
                yield Variant(pruned, MutationMode.PRUNE, (parent,))
    if MutationMode.CROSSOVER in modes and len(best) > 1:
        crossed = crossover(best[0].rubric, best[1].rubric, graded, evolution.max_criteria)
        if MutationMode.REWEIGHT in modes:
            crossed = reweight(crossed, graded)
        yield Variant(crossed, MutationMode.CROSSOVER, (best[0], best[1]))
    if MutationMode.GATHER in modes and (gathered := gather(graded, evolution.max_criteria)) is not None:
        others = (individual for individual in newborn if individual is not best[0])
        yield Variant(gathered, MutationMode.GATHER, (best[0], *others))
