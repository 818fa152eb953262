"""The rubrics of a search, ready to grade new responses."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from types import TracebackType
from typing import Any, Self

from upath import UPath

from autosr_lib.domain.rubric import Rubric
from autosr_lib.errors import EndpointError, ReplyError, SettingsError
from autosr_lib.evaluation.grade_bank import BankEntry, GradeBank, GradeBatch, batch_needs
from autosr_lib.evaluation.roles import Grade, GradeRequest, Verifier
from autosr_lib.evaluation.settings import Grading
from autosr_lib.heuristic import heuristic_roles
from autosr_lib.llm.endpoint.client import ModelClient
from autosr_lib.llm.extraction import Extractor
from autosr_lib.llm.roles.verifier import LlmVerifier
from autosr_lib.llm.settings import Role
from autosr_lib.llm.templates import PromptTemplate
from autosr_lib.reward.blocking import Blocking
from autosr_lib.reward.scored import Scored, score_response
from autosr_lib.reward.search_export import (
    ExportEntry,
    RubricChoice,
    SearchExport,
    parse_rubric_choice,
    read_export,
)
from autosr_lib.reward.task_group import gather_or_cancel
from autosr_lib.search.fingerprints import METHOD_VERSION
from autosr_lib.search.grading import missing_grades
from autosr_lib.settings import BackendName, BackendSettings
from autosr_lib.settings_merge import merge_settings

logger = logging.getLogger(__name__)

MAX_RESPONSES_IN_FLIGHT = 1024
"""Responses of a batch that are graded at the same time; the client limits the requests."""


class Rubrics:
    """Grades responses with the rubrics of an export.

    Verifier, prompt template, scale, packing of criteria and arithmetic are those of the search.
    """

    def __init__(self, export: SearchExport, which: RubricChoice, votes: int, backend: BackendSettings) -> None:
        """Create rubrics from an export that has been read; `load` reads it from a file.

        Args:
            export: the rubrics, and how the search graded its candidates.
            which: the rubric of each prompt that grades.
            votes: gradings of each response.
            backend: the model endpoint with its budget, or the heuristics.
        """
        self.export = export
        self.which = which
        self.votes = votes
        self.backend = backend
        self.client = ModelClient(backend.llm) if backend.resolved is BackendName.LLM else None
        self.grading = export.settings.grading
        self._verifier = _create_verifier(export, backend, self.client)

    @classmethod
    def load(
        cls,
        path: str | UPath,
        *,
        which: RubricChoice | str = RubricChoice.RUBRIC,
        votes: int | None = None,
        settings: Mapping[str, Any] | None = None,
        cache_dir: str | None = None,
    ) -> Self:
        """Return the rubrics of an export.

        Args:
            path: the JSON that `autosr search` wrote.
            which: `rubric` (the one to use), `measured_rubric` (that of the held-out figures) or `initial_rubric`.
            votes: gradings of each response; by default as many as in the search (`num_votes`).
            settings: endpoint settings that replace those of the search (`{"base_url": …, "max_concurrency": 64}`).
                With another model or temperature, grades differ from those of the search.
            cache_dir: the folder of cached replies; by default that of the search. A relative path is relative to the
                working directory.

        Raises:
            SettingsError: the file is not an export, a setting is invalid, or a model is needed and there is no API key.
            TemplateError: the exported template has a fault.
        """
        export = read_export(path)
        changes = {**(settings or {}), **({} if cache_dir is None else {"cache_dir": cache_dir})}
        backend = merge_settings(export.settings.backend, changes)
        backend = backend.model_copy(update={"backend": export.backend})
        if votes is not None and votes < 1:
            raise SettingsError(f"votes is {votes}; must be at least 1")
        if export.method_version != str(METHOD_VERSION):
            logger.warning(
                "%s was written by method version %s, this is version %s: grades may differ from those of the search",
                export.path, export.method_version, METHOD_VERSION,
            )  # fmt: skip
        return cls(export, parse_rubric_choice(which), votes or export.settings.grading.num_votes, backend)

    def with_new_client(self) -> Self:
        """Return a copy with its own connections and budget, as another process needs it."""
        return type(self)(self.export, self.which, self.votes, self.backend)

    def with_cache(self, folder: str) -> Self:
        """Return a copy that caches replies in a folder."""
        llm = self.backend.llm.model_copy(update={"cache_dir": folder})
        return type(self)(self.export, self.which, self.votes, self.backend.model_copy(update={"llm": llm}))

    @property
    def prompt_ids(self) -> list[str]:
        """Return the prompts that have a rubric, in the order of the export."""
        return list(self.export.entries)

    def entry(self, prompt_id: str) -> ExportEntry:
        """Return the export's entry of a prompt.

        Raises:
            SettingsError: the export has no rubric for the prompt.
        """
        entry = self.export.entries.get(prompt_id)
        if entry is None:
            raise SettingsError(
                f"prompt_id {prompt_id!r:.80} has no rubric in {self.export.path}; it has {len(self.prompt_ids)}, "
                f"the first is {self.prompt_ids[0]!r:.80}"
            )
        return entry

    def rubric(self, prompt_id: str) -> Rubric:
        """Return the rubric that grades the responses to a prompt.

        Raises:
            SettingsError: the export has no rubric for the prompt.
        """
        return self.entry(prompt_id).choose(self.which)

    @property
    def skew(self) -> str | None:
        """Return how the grading differs from that of the search's candidates, or None if it does not."""
        if self.client is None:  # heuristics grade each criterion alone, with equal votes
            return None
        differences, search = list[str](), self.grading
        if search.grading is not Grading.PER_CRITERION:
            differences.append(
                "each criterion shares a request with all others of its rubric, in the search with those that were new "
                f"at the same time (grading was {search.grading}; with per_criterion there is no difference)"
            )
        visible_votes = search.num_votes + search.finalist_votes
        if not self.votes == visible_votes == search.holdout_votes:
            differences.append(
                f"votes is {self.votes}, in the search {visible_votes} for visible candidates of the finalists "
                f"and {search.holdout_votes} for hidden candidates"
            )
        return "; ".join(differences) or None

    async def __aenter__(self) -> Self:
        """Keep the connections to the endpoint open; without this, each call of `score` opens and closes them."""
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
        """Return the score of a response, with the grade and the reasons for each criterion.

        If a reply cannot be read, not even after it was requested again, its criteria stay ungraded.

        Args:
            prompt_id: the prompt that the response answers.
            response: the text to grade.
            votes: gradings of this response; by default `self.votes`.

        Raises:
            SettingsError: the export has no rubric for the prompt.
            EndpointError: the endpoint cannot be used.
            BudgetExhausted: the call would exceed `max_calls`, `max_tokens` or `max_cost`.
        """
        entry = self.entry(prompt_id)
        rubric = entry.choose(self.which)
        bank = GradeBank(1, votes or self.votes).with_criteria(rubric.criteria, (entry.prompt, [response]))
        needs = missing_grades(bank, [rubric], [0], range(bank.votes))
        batches = batch_needs(needs, self.grading.grading, self.grading.criteria_per_call)
        async with self if batches else nullcontext():  # measured criteria need no connection
            replies = await gather_or_cancel(self._grade(entry, response, batch) for batch in batches)
        grades = [
            (key, batch.vote, grade)
            for batch, reply in zip(batches, replies, strict=True)
            for key, grade in reply.items()
        ]
        bank = bank.with_entries(BankEntry(key, 0, vote, grade.value) for key, vote, grade in grades)
        reasons = {(key, vote): grade.reason for key, vote, grade in grades}
        return score_response(prompt_id, rubric, bank, reasons, self.grading.aggregate)

    async def score_batch(self, responses: Iterable[tuple[str, str]], *, votes: int | None = None) -> list[Scored]:
        """Return the scores of (prompt id, response) pairs, in order; see `score`.

        Nothing is graded if a prompt has no rubric.
        """
        pairs = list(responses)
        for prompt_id, _ in pairs:
            self.entry(prompt_id)
        semaphore = asyncio.Semaphore(MAX_RESPONSES_IN_FLIGHT)

        async def score_when_free(prompt_id: str, response: str) -> Scored:
            async with semaphore:
                return await self.score(prompt_id, response, votes=votes)

        async with self:
            return await gather_or_cancel(score_when_free(prompt_id, response) for prompt_id, response in pairs)

    def blocking(self) -> Blocking:
        """Return a blocking interface to these rubrics, for code that is not asynchronous."""
        return Blocking(self)

    async def _grade(self, entry: ExportEntry, response: str, batch: GradeBatch) -> Mapping[str, Grade]:
        """Return the verifier's grades by criterion key; empty if its reply cannot be read."""
        request = GradeRequest(entry.prompt_id, entry.prompt, response, batch.criteria, batch.vote)
        try:
            return await self._verifier.grade(request)
        except ReplyError:
            return {}
        except EndpointError:
            if self.client is not None:
                self.client.clear_endpoint_failure()
            raise
        finally:
            if self.client is not None:
                # Drop the records and keep their sums: a server or a trainer would accumulate records without end.
                self.client.calls.drain()


def _create_verifier(export: SearchExport, backend: BackendSettings, client: ModelClient | None) -> Verifier:
    if client is None:
        return heuristic_roles(export.settings.seed, backend.noise).verifier
    if export.verifier_template is None:
        raise SettingsError(f"{export.path}: run_manifest has no verifier_template; run the search again to write it")
    template = PromptTemplate(Role.VERIFIER, export.verifier_template, f"{export.path}: verifier_template")
    return LlmVerifier(client, template, Extractor(backend.llm.extraction), export.settings.grading)
