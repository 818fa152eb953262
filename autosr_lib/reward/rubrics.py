"""The rubrics of a search, ready to grade new responses."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from upath import UPath

from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import EndpointError, ReplyError, SettingsError
from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank, Parcel, pack
from autosr_lib.evaluation.roles import GradeRequest, Verifier
from autosr_lib.evaluation.settings import Grading
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.roles.verifier import LlmVerifier
from autosr_lib.llm.settings import Role
from autosr_lib.llm.templates import PromptTemplate
from autosr_lib.reward.exported import Entry, Exported, Which, read_export
from autosr_lib.reward.scored import Scored, scored
from autosr_lib.search.fingerprints import METHOD_VERSION
from autosr_lib.search.grading import missing_grades
from autosr_lib.settings import BackendName, BackendSettings
from autosr_lib.settings_merge import merge_settings

if TYPE_CHECKING:
    from autosr_lib.reward.blocking import Blocking

logger = logging.getLogger(__name__)

GRADED_AT_ONCE = 1024
"""Responses of a batch that are under way at once; how many requests are, the client decides."""


class Rubrics:
    """Grades responses by the rubrics of an export: same verifier, words, scale, packing and arithmetic as the search."""

    def __init__(self, exported: Exported, which: Which, votes: int, backend: BackendSettings) -> None:
        """Make rubrics of what was read; `load` does it from a file."""
        self.exported = exported
        self.which = which
        self.votes = votes
        self.backend = backend
        self.client = ModelClient(backend.llm) if backend.resolved is BackendName.LLM else None
        self.grading = exported.settings.grading
        self._verifier = _verifier(exported, backend, self.client)

    @classmethod
    def load(
        cls,
        path: str | UPath,
        *,
        which: Which | str = Which.RUBRIC,
        votes: int | None = None,
        settings: Mapping[str, Any] | None = None,
        cache_dir: str | None = None,
    ) -> Self:
        """Return the rubrics of the export in a file.

        Args:
            path: the JSON that `autosr search` wrote.
            which: `rubric`, the one to use; `measured_rubric`, that the held-out figures belong to; `initial_rubric`.
            votes: gradings of each response; by default as many as in the search (`num_votes`).
            settings: of the endpoint, laid over those of the search (`{"base_url": …, "max_concurrency": 64}`). Another
                model or temperature grades otherwise than the search did.
            cache_dir: where good replies are kept; by default the search's, and a relative one lies in the working folder.

        Raises:
            SettingsError: the file is no export, a setting is impossible, or a model is needed and there is no key.
            TemplateError: the exported template is wrong.
        """
        exported = read_export(path)
        changes = {**(settings or {}), **({} if cache_dir is None else {"cache_dir": cache_dir})}
        backend = merge_settings(exported.settings.backend, changes)
        backend = backend.model_copy(update={"backend": exported.backend})
        if votes is not None and votes < 1:
            raise SettingsError(f"votes is {votes}; must be at least 1")
        if exported.method_version != str(METHOD_VERSION):
            logger.warning(
                "%s is of method version %s, this is %s: grades may differ from those of the search",
                exported.where, exported.method_version, METHOD_VERSION,
            )  # fmt: skip
        return cls(exported, known_which(which), votes or exported.settings.grading.num_votes, backend)

    def anew(self) -> Self:
        """Return the same with connections and a budget of its own, as another process needs them."""
        return type(self)(self.exported, self.which, self.votes, self.backend)

    def with_cache(self, folder: str) -> Self:
        """Return the same with good replies kept in a folder."""
        llm = self.backend.llm.model_copy(update={"cache_dir": folder})
        return type(self)(self.exported, self.which, self.votes, self.backend.model_copy(update={"llm": llm}))

    @property
    def prompt_ids(self) -> list[str]:
        """Return the prompts that have a rubric, in the order of the export."""
        return list(self.exported.entries)

    def entry(self, prompt_id: str) -> Entry:
        """Return what the export says of a prompt.

        Raises:
            SettingsError: it has no rubric for it.
        """
        found = self.exported.entries.get(prompt_id)
        if found is None:
            raise SettingsError(
                f"prompt_id {prompt_id!r:.80} has no rubric in {self.exported.where}; it has {len(self.prompt_ids)}, "
                f"the first is {self.prompt_ids[0]!r:.80}"
            )
        return found

    def rubric(self, prompt_id: str) -> Rubric:
        """Return the rubric that grades the responses to a prompt."""
        return self.entry(prompt_id).chosen(self.which)

    @property
    def skew(self) -> str | None:
        """Return in what responses are graded otherwise than the search's candidates were, None where in nothing."""
        if self.client is None:  # heuristics grade each criterion alone, and every vote alike
            return None
        told, searched = list[str](), self.grading
        if searched.grading is not Grading.PER_CRITERION:
            told.append(
                "a criterion is asked about beside all others of its rubric, in the search beside those that were new "
                f"with it (grading was {searched.grading}; per_criterion asks alike)"
            )
        visible = searched.num_votes + searched.finalist_votes
        if {self.votes} != {visible, searched.holdout_votes}:
            told.append(
                f"votes are {self.votes}, in the search {visible} for visible candidates of the finalists "
                f"and {searched.holdout_votes} for hidden ones"
            )
        return "; ".join(told) or None

    async def __aenter__(self) -> Self:
        """Keep the connections to the endpoint open until the end; `score` works without, but opens them each time."""
        if self.client is not None:
            await self.client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        if self.client is not None:
            await self.client.__aexit__(kind, error, trace)

    async def score(self, prompt_id: str, response: str, *, votes: int | None = None) -> Scored:
        """Return a response's score, with the grade and the reason of every criterion.

        A reply that cannot be read, though asked for again, leaves its criteria ungraded.

        Raises:
            SettingsError: the prompt has no rubric.
            EndpointError: the endpoint will not answer.
            BudgetExhausted: the call would exceed `max_calls`, `max_tokens` or `max_cost`.
        """
        entry = self.entry(prompt_id)
        rubric = entry.chosen(self.which)
        bank = GradeBank(1, votes or self.votes).with_criteria(rubric.criteria, (entry.prompt, [response]))
        needs = missing_grades(bank, [rubric], [0], range(bank.votes))
        parcels = pack(needs, self.grading.grading, self.grading.criteria_per_call)
        reasons: dict[tuple[str, int], str] = {}
        async with AsyncExitStack() as stack:
            if parcels:
                await stack.enter_async_context(self)
            asked = [self._ask(entry, response, parcel, reasons) for parcel in parcels]
            given = await all_of(asked) if asked else []
        bank = bank.with_entries(entry for answer in given for entry in answer)
        return scored(prompt_id, rubric, bank, reasons, self.grading.aggregate)

    async def score_batch(self, responses: Iterable[tuple[str, str]], *, votes: int | None = None) -> list[Scored]:
        """Return the scores of (prompt id, response) pairs, in their order.

        All prompts are looked up before anything is asked. For the rest see `score`.
        """
        pairs = list(responses)
        for prompt_id, _ in pairs:
            self.entry(prompt_id)
        gate = asyncio.Semaphore(GRADED_AT_ONCE)

        async def one(prompt_id: str, response: str) -> Scored:
            async with gate:
                return await self.score(prompt_id, response, votes=votes)

        async with self:
            return await all_of([one(*pair) for pair in pairs])

    def blocking(self) -> "Blocking":
        """Return the same for code that is not asynchronous."""
        from autosr_lib.reward.blocking import Blocking  # noqa: PLC0415

        return Blocking(self)

    async def _ask(
        self, entry: Entry, response: str, parcel: Parcel, reasons: dict[tuple[str, int], str]
    ) -> list[BankEntry]:
        request = GradeRequest(entry.prompt_id, entry.prompt, response, parcel.criteria, parcel.vote)
        try:
            grades = await self._verifier.grade(request)
        except ReplyError:
            return []
        except EndpointError:
            if self.client is not None:
                self.client.clear_endpoint_failure()
            raise
        finally:
            if self.client is not None:
                self.client.calls.drain()  # the sums stay; a server or a trainer lives too long for the rows
        for key, grade in grades.items():
            if grade.reason:
                reasons[key, parcel.vote] = grade.reason
        return [BankEntry(key, 0, parcel.vote, grade.value) for key, grade in grades.items()]


def known_which(which: Which | str) -> Which:
    """Return which rubric is asked for.

    Raises:
        SettingsError: there is no such.
    """
    try:
        return Which(which)
    except ValueError:
        raise SettingsError(f"which is {which!r}; must be one of {', '.join(Which)}") from None


async def all_of(coroutines: Iterable[Any]) -> list[Any]:
    """Return the results in order; the first failure cancels the others, so that nothing more is spent."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in coroutines]
    except BaseExceptionGroup as group_error:
        raise _first(group_error) from group_error
    return [task.result() for task in tasks]


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _verifier(exported: Exported, backend: BackendSettings, client: ModelClient | None) -> Verifier:
    if client is None:
        return heuristic_roles(exported.settings.seed, backend.noise).verifier
    if exported.verifier_template is None:
        raise SettingsError(f"{exported.where}: run_manifest has no verifier_template; search again to write it")
    template = PromptTemplate(Role.VERIFIER, exported.verifier_template, f"{exported.where}: verifier_template")
    return LlmVerifier(client, template, Extractor(backend.llm.extraction), exported.settings.grading)
