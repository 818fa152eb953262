"""One of ten prompts fails in the third generation because of unreadable replies of the endpoint."""

import json
from pathlib import Path

import dagster as dg
import pytest

from autosr_lib.storage.table_names import TableName
from tests.assets.commands import planted, write_prompts
from tests.assets.model_home import KEY, QUICK, ModelHome
from tests.llm.server import Body, Fault, ModelServer, Says, blocks, role_of

TEN = planted(*"abcdefghij")
TENTH = TEN[-1]
OPTIONS = (
    *QUICK, "--generations", "4", "--mutations-per-round", "2", "--initial-proposals", "2", "--no-llm-fail-soft"
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_other_nine_are_exported_the_failed_one_is_named_and_the_next_run_repeats_only_that_one(
    tmp_path: Path,
) -> None:
    def fail_in_generation_three(number: int, body: Body) -> Fault | None:
        is_affected = role_of(body) == "proposer" and blocks(body)[0] == TENTH.prompt
        is_third = home.store.exists(TableName.generation("ten", 2), "j")
        return Says("no idea") if is_failing and is_affected and is_third else None

    is_failing = True
    with ModelServer(faults=fail_in_generation_three) as server:
        home = ModelHome(tmp_path / "home", server.base_url)
        path = write_prompts(tmp_path / "ten.json", TEN)

        first = home.search(path, *OPTIONS)
        stored, earlier_requests = home.files(), len(server.requests)
        export, recorded = home.export("ten"), recorded_faults(home)
        statuses = {asset: home.rows(f"ten/{asset}")["j"][0]["status"] for asset in ("generation_02", "generation_03")}
        is_failing = False
        second = home.search(path, *OPTIONS)

    error = export["failed_prompts"]["j"]
    assert first.code == 3
    assert statuses == {"generation_02": "done", "generation_03": "failed"}
    assert [entry["prompt_id"] for entry in export["best_rubrics"]] == list("abcdefghi")
    assert "no idea" in error
    assert "'prompt': 'j'" in recorded["check"]
    assert error[:40] in recorded["check"]
    assert recorded["export"].startswith(f"j: {error[:40]}")
    assert error in first.out + first.err

    assert second.code == 0, second.err
    assert [entry["prompt_id"] for entry in home.export("ten")["best_rubrics"]] == list("abcdefghij")
    assert {blocks(body)[0] for body in server.requests[earlier_requests:] if blocks(body)} == {TENTH.prompt}
    of_others = {name: state for name, state in stored.items() if name.endswith(".parquet") and "/j." not in name}
    assert {name for name, state in home.files().items() if name in of_others and of_others[name] != state} == {
        "storage/ten/rubric_export.parquet"
    }
    assert KEY not in json.dumps(export)


def recorded_faults(home: ModelHome) -> dict[str, str]:
    """Return the faults in the metadata of the check and of the export, as the web UI shows them."""
    best, export = (dg.AssetKey(["ten", asset]) for asset in ("best_rubrics", "rubric_export"))
    with home.dagster() as instance:
        key = dg.AssetCheckKey(best, "every_prompt_has_a_rubric")
        (check,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        assert check.event is not None
        assert check.event.dagster_event is not None
        result = check.event.dagster_event.asset_check_evaluation_data
        materialization = instance.fetch_materializations(export, limit=1).records[0].asset_materialization
        assert materialization is not None
        assert not result.passed
        return {
            "check": str(result.metadata["at_fault"].value),
            "export": str(materialization.metadata["failed_prompts"].value),
        }
