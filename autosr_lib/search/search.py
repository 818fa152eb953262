"""The search of one prompt, from its first rubric to its best."""

from collections.abc import Mapping
from dataclasses import replace

from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.search.budget import remaining_calls
from autosr_lib.search.conclusion import Conclusion, conclude
from autosr_lib.search.evolution import breed, evolve
from autosr_lib.search.grading import grade, missing, parcels
from autosr_lib.search.mutation import as_stored, as_written, rubric_of
from autosr_lib.search.population import Ancestor, Individual, evaluate_rubrics
from autosr_lib.search.randomness import generator
from autosr_lib.search.refinement import refine
from autosr_lib.search.roles import InitializeRequest, MutationMode
from autosr_lib.search.schedule import SCHEDULED
from autosr_lib.search.settings import InitializerStrategy, Mode, StopSettings
from autosr_lib.search.state import Calls, SearchContext, State
from autosr_lib.search.stopping import settle

DEFAULT_PRESET = "__default__"


async def begin(context: SearchContext, presets: Mapping[str, Rubric] | None = None) -> State:
    """Return the state of generation 0: the first rubric, and in mode `evolutionary` proposals from it.

    Args:
        context: the prompt and what it is searched with.
        presets: rubrics by prompt id, for the strategy `preset`; `__default__` stands for the others.

    Raises:
        SettingsError: a strict preset is missing, or the prompt's budget is too small to grade one rubric.
        ReplyError: the initializer's reply cannot be read.
    """
    rubric, operator, calls = await _first_rubric(context, presets or {})
    prepared, votes = context.prepared, context.votes
    bank = GradeBank(len(prepared.prompt.candidates), len(context.all_votes))
    bank = bank.with_criteria(as_written(rubric).criteria, prepared.texts)
    rubric = as_stored(rubric, bank)
    needs = missing(bank, [rubric], prepared.visible.tolist(), votes)
    if (needed := len(parcels(context, needs))) > remaining_calls(context, calls):
        raise SettingsError(
            f"max_calls_per_prompt is {context.settings.stop.max_calls_per_prompt}, too few to grade the first rubric "
            f"({needed} requests) and keep the finalists' votes back; allowed: more, or fewer finalist_votes"
        )
    bank, grading = await grade(context, bank, needs)
    evaluation = evaluate_rubrics([rubric], bank, prepared, votes, context.settings.grading.aggregate)[0]
    initial = Individual(rubric, evaluation, operator, 0)
    calls += grading
    state = State(-1, (initial,), initial, bank, (Ancestor.of(initial),), calls=calls, last_calls=calls)
    first = {operator: 1}
    if context.structure.mode is Mode.ITERATIVE:
        return settle(context, replace(state, generation=0, tried=first, kept=first))
    count = context.settings.initializer.initial_proposals
    asking = [mode for mode in SCHEDULED if mode is not MutationMode.WEIGHT_PERTURB]
    bred = await breed(context, state, [initial], [asking[i % len(asking)] for i in range(count)])
    return settle(
        context,
        State(
            0,
            bred.population,
            bred.initial,
            bred.bank,
            bred.ancestors,
            calls=bred.calls,
            last_calls=bred.calls,
            tried={**first, **bred.tried},
            kept={**first, **bred.kept},
            stopped=bred.stopped,
        ),
    )


async def _first_rubric(context: SearchContext, presets: Mapping[str, Rubric]) -> tuple[Rubric, str, Calls]:
    prompt, settings = context.prepared.prompt, context.settings.initializer
    if settings.initializer_strategy is InitializerStrategy.PRESET:
        preset = presets.get(prompt.prompt_id) or presets.get(DEFAULT_PRESET)
        if preset is not None:
            return preset, "preset", Calls()
        if settings.preset_strict:
            raise SettingsError(
                f"preset_rubrics has no rubric for prompt {prompt.prompt_id!r} and no {DEFAULT_PRESET!r}; "
                "allowed: one for every prompt, or preset_strict off"
            )
    texts = [context.prepared.texts[1][place] for place in context.prepared.visible.tolist()]
    order = generator(context.settings.seed, prompt.prompt_id, 0, "initializer").permutation(len(texts))
    request = InitializeRequest(prompt.prompt_id, prompt.prompt, tuple(texts[i] for i in order.tolist()))
    rubric = await context.roles.initializer.write(request)
    return rubric_of(rubric.criteria), "initial", Calls(initializer=1)


async def advance(context: SearchContext, state: State) -> State:
    """Return the state after the next generation; a prompt that has stopped is carried along unchanged."""
    if is_over(state.generation, state.stopped, context.settings.stop):
        return state.carried()
    step = refine if context.structure.mode is Mode.ITERATIVE else evolve
    return settle(context, await step(context, state))


def is_over(generation: int, stopped: str | None, stop: StopSettings) -> bool:
    """Return whether a prompt is only carried along after this generation."""
    return stopped is not None or (stop.max_generations is not None and generation >= stop.max_generations)


async def search_prompt(
    context: SearchContext, presets: Mapping[str, Rubric] | None = None
) -> tuple[State, Conclusion]:
    """Return the last state of a whole search, and its conclusion."""
    state = await begin(context, presets)
    for _ in range(context.structure.generations):
        state = await advance(context, state)
    return state, await conclude(context, state)
