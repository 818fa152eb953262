"""A dataset and a search whose sensors and schedule are evaluated without a daemon; their runs are executed in this process."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import dagster as dg
from dagster._core.definitions.sensor_definition import SensorExecutionData

from autosr_assets.components import PromptDataset, RubricSearch
from autosr_assets.definitions import shared
from autosr_lib.domain.prompt import Prompt
from autosr_lib.search.roles import Roles
from autosr_lib.search.settings import Scope
from autosr_lib.settings import DatasetRunSettings, SearchRunSettings
from tests.assets.commands import Home, write_prompts
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier

DATASET_JOB, SEARCH_JOB, EXPORT_JOB = "calls_dataset", "evolved_search", "evolved_export"
INCOMING_SENSOR, SEARCH_SENSOR = "calls_incoming", "evolved_new_prompts"


@dataclass
class WatchedSearch:
    """A dataset `calls` and a search `evolved` over it."""

    home: Home
    instance: dg.DagsterInstance
    chunk_size: int | None = None
    scope: Scope = Scope.PROMPT_LOCAL
    failing: frozenset[str] = frozenset()
    verifier: FakeVerifier = field(default_factory=lambda: FakeVerifier(0.3))
    cursors: dict[str, str | None] = field(default_factory=dict)

    @property
    def roles(self) -> Roles:
        return Roles(FakeInitializer(failing=self.failing), FakeProposer(), self.verifier, FakeJudge())

    @cached_property
    def definitions(self) -> dg.Definitions:
        dataset = PromptDataset(settings=DatasetRunSettings(path="calls.json"))
        settings = SearchRunSettings.model_validate({"evolution": {"population_size": 4, "mutations_per_round": 2}})
        search = RubricSearch(
            dataset="calls", generations=1, scope=self.scope, settings=settings, chunk_size=self.chunk_size
        )
        return dg.Definitions.merge(shared(), dataset.definitions("calls"), search.definitions("evolved"))

    def drop(self, *prompts: Prompt) -> None:
        """Drop a file of these prompts."""
        write_prompts(self.home.root / "incoming" / "calls.json", prompts)

    def evaluate(self, sensor: str) -> SensorExecutionData:
        """Evaluate a sensor once, as the daemon does."""
        with dg.build_sensor_context(self.instance, self.cursors.get(sensor), **self._repository) as context:
            result = self.definitions.resolve_sensor_def(sensor).evaluate_tick(context)
        self.cursors[sensor] = result.cursor
        return result

    def run(self, requests: Sequence[dg.RunRequest], job: str) -> list[dg.ExecuteInProcessResult]:
        """Execute the requested runs; a request without a job is for `job`."""
        results = []
        for request in requests:
            selected_job = self.definitions.resolve_job_def(request.job_name or job)
            if request.asset_selection is not None:
                checks = set(request.asset_check_keys or ())
                selected_job = selected_job.get_subset(
                    asset_selection=set(request.asset_selection), asset_check_selection=checks
                )
            results.append(
                selected_job.execute_in_process(instance=self.instance, tags=dict(request.tags), raise_on_error=False)
            )
        return results

    def read_dropped_file(self) -> SensorExecutionData:
        """Accept and read the dropped file; return the result of the search's sensor."""
        self.evaluate(INCOMING_SENSOR)
        self.run(self.evaluate(INCOMING_SENSOR).run_requests or [], DATASET_JOB)
        return self.evaluate(SEARCH_SENSOR)

    def search_dropped_file(self) -> int:
        """Read the dropped file and execute all runs that the search's sensor requests; return their number."""
        count = 0
        result = self.read_dropped_file()
        while result.run_requests:
            count += len(self.run(result.run_requests, SEARCH_JOB))
            result = self.evaluate(SEARCH_SENSOR)
        return count

    def evaluate_schedule(self) -> Any:
        """Evaluate the schedule once."""
        with dg.build_schedule_context(self.instance, **self._repository) as context:
            return self.definitions.resolve_schedule_def("evolved_nightly").evaluate_tick(context)

    @cached_property
    def _repository(self) -> dict[str, Any]:
        repository = self.definitions.get_repository_def()
        return {"repository_def": repository, "resources": repository.get_top_level_resources()}

    def exported(self) -> set[str]:
        """Return the ids of the exported prompts."""
        return {entry["prompt_id"] for entry in self.home.export("evolved")["best_rubrics"]}

    def count_results(self, check: str) -> int:
        """Return how many results of a check of the best rubrics are recorded."""
        key = dg.AssetCheckKey(dg.AssetKey(["evolved", "best_rubrics"]), check)
        return len(self.instance.event_log_storage.get_asset_check_execution_history(key, limit=50))
