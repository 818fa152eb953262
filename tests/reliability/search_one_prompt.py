"""The search of one prompt over an endpoint, without Dagster: `python -m tests.reliability.search_one_prompt URL FOLDER`."""

import asyncio
import sys
from pathlib import Path

from autosr_lib.domain.prompt import Candidate, Prompt
from autosr_lib.evaluation.reference import gather_preferences
from autosr_lib.evaluation.settings import GradingSettings, HoldoutSettings, JudgeSetting, ReferenceSettings
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.settings import LlmSettings
from autosr_lib.search.context import SearchContext
from autosr_lib.search.prepared_prompt import PreparedPrompt
from autosr_lib.search.settings import SearchSettings, Structure
from tests.llm.role_requests import roles_of
from tests.worlds import search_prompt

CONCURRENCY = 4
PROMPT = Prompt(
    prompt_id="p",
    prompt="Explain rain to a child.",
    candidates=tuple(Candidate(candidate_id=f"c{n}", text=f"Rain is water, told in way {n}.") for n in range(6)),
)


async def search(base_url: str, cache_dir: Path) -> str:
    """Return the conclusion of the search as text, without its grades; replies are cached in the folder."""
    llm = LlmSettings(
        base_url=base_url, model_default="scripted", cache_dir=str(cache_dir), max_concurrency=CONCURRENCY
    )
    settings = SearchSettings(grading=GradingSettings(num_votes=1, finalist_votes=1))
    async with ModelClient(llm) as client:
        roles = roles_of(client, num_votes=1, finalist_votes=1)
        preferences = await gather_preferences(PROMPT, ReferenceSettings(judge=JudgeSetting.MODEL), roles.judge)
        prepared = PreparedPrompt.of(PROMPT, preferences, HoldoutSettings(), settings.objective)
        _, conclusion = await search_prompt(SearchContext(prepared, roles, settings, Structure(generations=1)))
    return repr((conclusion.rubric, conclusion.best, conclusion.candidate_scores, conclusion.holdout))


if __name__ == "__main__":
    print(asyncio.run(search(sys.argv[1], Path(sys.argv[2]))))  # noqa: T201 - the parent process reads this
