"""The search of one prompt in steps: `start_search`, `advance_search` for each generation, then `conclude_search`.

`conclude_search` is in `autosr_lib.search.conclusion`.
"""

from collections.abc import Mapping
from dataclasses import replace

from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.grade_bank import GradeBank
from autosr_lib.search.budget import remaining_calls
from autosr_lib.search.context import SearchContext
from autosr_lib.search.evolution import evolve, run_generation
from autosr_lib.search.grading import grade, missing_grades, plan_requests
from autosr_lib.search.population import Ancestor, Individual
from autosr_lib.search.randomness import generator
from autosr_lib.search.refinement import refine
from autosr_lib.search.roles import InitializeRequest, MutationMode
from autosr_lib.search.rubric_edits import in_stored_form, make_rubric, with_mean_weight_one
from autosr_lib.search.schedule import SCHEDULED
from autosr_lib.search.selection import Selection
from autosr_lib.search.settings import InitializerStrategy, Mode, StopSettings
from autosr_lib.search.state import Calls, SearchState
from autosr_lib.search.stopping import finish_generation

DEFAULT_PRESET = "__default__"
"""Key of the preset for prompts without a preset of their own."""


async def start_search(context: SearchContext, presets: Mapping[str, Rubric] | None = None) -> SearchState:
    """Return the state of generation 0: the initial rubric and, in mode `evolutionary`, proposals from it.

    Args:
        context: the prompt and how it is searched.
        presets: rubrics by prompt id for the strategy `preset`; `__default__` applies to all other prompts.

    Raises:
        SettingsError: a strict preset is missing, or the prompt's budget is too small to grade one rubric.
        ReplyError: the initializer's reply cannot be read.
    """
    state = await _grade_initial(context, *await _initial_rubric(context, presets or {}))
    if context.structure.mode is Mode.ITERATIVE:
        return finish_generation(context, replace(state, generation=0))
    count = context.settings.initializer.initial_proposals
    proposer_modes = [mode for mode in SCHEDULED if mode is not MutationMode.WEIGHT_PERTURB]
    selection = Selection([state.initial], [proposer_modes[i % len(proposer_modes)] for i in range(count)])
    after = await run_generation(context, state, selection)
    return finish_generation(
        context,
        replace(
            after,
            last_calls=after.calls,
            tried={**state.tried, **after.tried},
            kept={**state.kept, **after.kept},
            stagnation=0,
        ),
    )


async def _initial_rubric(context: SearchContext, presets: Mapping[str, Rubric]) -> tuple[Rubric, str, Calls]:
    """Return the initial rubric, its operator (`preset` or `initial`) and the requests made for it."""
    prompt, settings = context.prepared.prompt, context.settings.initializer
    if settings.initializer_strategy is InitializerStrategy.PRESET:
        preset = presets.get(prompt.prompt_id) or presets.get(DEFAULT_PRESET)
        if preset is not None:
            return preset, "preset", Calls()
        if settings.preset_strict:
            raise SettingsError(
                f"preset_rubrics has no rubric for prompt {prompt.prompt_id!r} and no {DEFAULT_PRESET!r}; "
                "add a rubric for every prompt, or turn preset_strict off"
            )
    texts = [context.prepared.texts[1][position] for position in context.prepared.visible.tolist()]
    order = generator(context.settings.seed, prompt.prompt_id, 0, "initializer").permutation(len(texts))
    request = InitializeRequest(prompt.prompt_id, prompt.prompt, tuple(texts[i] for i in order.tolist()))
    rubric = await context.roles.initializer.write(request)
    return make_rubric(rubric.criteria), "initial", Calls(initializer=1)


async def _grade_initial(context: SearchContext, rubric: Rubric, operator: str, calls: Calls) -> SearchState:
    """Return the state before generation 0, with the graded initial rubric alone."""
    prepared = context.prepared
    bank = GradeBank(len(prepared.prompt.candidates), len(context.all_votes))
    bank = bank.with_criteria(with_mean_weight_one(rubric).criteria, prepared.texts)
    rubric = in_stored_form(rubric, bank)
    needs = missing_grades(bank, [rubric], prepared.visible.tolist(), context.votes)
    if (required := len(plan_requests(context, needs))) > remaining_calls(context, calls):
        raise SettingsError(
            f"max_calls_per_prompt is {context.settings.stop.max_calls_per_prompt}, too few to grade the initial rubric "
            f"({required} requests) and reserve the finalists' votes; raise it, or lower finalist_votes"
        )
    bank, grading = await grade(context, bank, needs)
    initial = Individual(rubric, context.graded(bank).evaluate([rubric])[0], operator, 0)
    calls += grading
    count = {operator: 1}
    return SearchState(
        -1, (initial,), initial, bank, (Ancestor.of(initial),), calls=calls, last_calls=calls, tried=count, kept=count
    )


async def advance_search(context: SearchContext, state: SearchState) -> SearchState:
    """Return the state after the next generation; the population of a stopped search does not change."""
    if is_over(state.generation, state.stopped, context.settings.stop):
        return state.skip_generation()
    step = refine if context.structure.mode is Mode.ITERATIVE else evolve
    return finish_generation(context, await step(context, state))


def is_over(generation: int, stopped: str | None, stop: StopSettings) -> bool:
    """Return whether a prompt is no longer searched after this generation.

    >>> is_over(2, None, StopSettings(max_generations=3)), is_over(2, "stagnation", StopSettings())
    (False, True)
    """
    return stopped is not None or (stop.max_generations is not None and generation >= stop.max_generations)
