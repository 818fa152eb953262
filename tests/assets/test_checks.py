"""Every run executes the checks, and a failed check names the prompts at fault."""

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from autosr_assets.checks.dataset_checks import MOST_NAMED, faults_metadata
from autosr_lib.domain.prompt import Prompt
from autosr_lib.results.export_check import differences
from autosr_lib.results.outcomes import read_outcomes
from autosr_lib.search.roles import Roles
from autosr_lib.storage.table_names import TableName
from tests.assets.commands import CommandResult, Home, planted, write_prompts
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier, fake_roles

SMALL = ("--population-size", "4", "--mutations-per-round", "2", "--generations", "1")
BEST = {
    "every_prompt_has_a_rubric",
    "every_rubric_is_valid",
    "best_is_at_least_initial",
    "held_out_accuracy_did_not_fall",
    "no_rubric_rewards_length_alone",
    "few_grades_are_missing",
}
ALL = {
    *BEST,
    "no_candidate_texts_repeat",
    "enough_tail_candidates",
    "preferences_are_consistent",
    "export_matches_the_tables",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def search(home: Home, prompts: list[Prompt], *options: str, roles: Roles | None = None) -> CommandResult:
    """Search these prompts with fake roles, in a single small generation."""
    path = write_prompts(home.root.parent / "calls.json", prompts)
    return home.autosr("search", path, *SMALL, *options, roles=roles or fake_roles(noise=0.3))


def results(home: Home) -> dict[str, list[Any]]:
    """Return the results that Dagster has recorded by name of the check, latest first."""
    results_by_name: dict[str, list[Any]] = {}
    with home.dagster() as instance:
        for asset in ("dataset", "preferences", "best_rubrics", "rubric_export"):
            for name in ALL:
                key = dg.AssetCheckKey(dg.AssetKey(["calls", asset]), name)
                records = instance.event_log_storage.get_asset_check_execution_history(key, limit=50)
                if records:
                    results_by_name[name] = [record.event.dagster_event.event_specific_data for record in records]
    return results_by_name


def failed(home: Home) -> set[str]:
    """Return the checks whose latest result is a failure."""
    return {name for name, check_results in results(home).items() if not check_results[0].passed}


def named(home: Home, check: str) -> str:
    """Return the table of prompts at fault in the latest result."""
    records = results(home)[check][0].metadata["at_fault"].records
    return "\n".join(f"| {record.data['prompt']} | {record.data['what is wrong']} |" for record in records)


def test_every_check_has_one_result_per_run_without_a_partition(home: Home) -> None:
    result = search(home, planted("a", "b", "c"))

    recorded = results(home)
    assert result.code == 0
    assert set(recorded) == ALL
    assert {len(check_results) for check_results in recorded.values()} == {1}
    assert {check_results[0].partition for check_results in recorded.values()} == {None}
    assert failed(home) <= {"held_out_accuracy_did_not_fall"}  # depends on chance with fakes


def test_checks_of_a_run_with_a_failed_prompt_are_recorded_and_name_it(home: Home) -> None:
    failing = Roles(FakeInitializer(failing=frozenset({"b"})), FakeProposer(), FakeVerifier(0.3), FakeJudge())

    result = search(home, planted("a", "b", "c"), roles=failing)

    assert result.code == 3
    assert set(results(home)) == ALL
    assert "every_prompt_has_a_rubric" in failed(home)
    assert "export_matches_the_tables" not in failed(home)
    assert "| b | RuntimeError: no rubric for b |" in named(home, "every_prompt_has_a_rubric")

    search(home, planted("a", "b", "c"))

    assert "every_prompt_has_a_rubric" not in failed(home)


def test_the_checks_of_a_search_in_chunks_run_once_after_all_chunks(home: Home) -> None:
    result = search(home, planted("a", "b", "c", "d", "e"), "--chunk-size", "2")

    assert result.code == 0
    assert {len(check_results) for check_results in results(home).values()} == {1}
    assert set(results(home)) == ALL
    assert results(home)["every_prompt_has_a_rubric"][0].metadata["prompts"].value == 5


def test_repeated_texts_and_equal_labels_give_warnings_and_do_not_stop_the_search(home: Home) -> None:
    a, b, c = planted("a", "b", "c")
    first, second, *rest = b.candidates
    b = b.model_copy(update={"candidates": (first, second.model_copy(update={"text": first.text}), *rest)})
    equal = tuple(candidate.model_copy(update={"metadata": {"quality": 0.5}}) for candidate in c.candidates)

    result = search(home, [a, b, c.model_copy(update={"candidates": equal})])

    assert result.code == 0
    assert {"no_candidate_texts_repeat", "enough_tail_candidates"} <= failed(home)
    assert f"| b | '{second.candidate_id}' has the text of '{first.candidate_id}' |" in named(
        home, "no_candidate_texts_repeat"
    )
    assert "| c | its 6 visible candidates share one quality |" in named(home, "enough_tail_candidates")
    severities = {results(home)[name][0].severity for name in ("no_candidate_texts_repeat", "enough_tail_candidates")}
    assert severities == {dg.AssetCheckSeverity.WARN}


def test_a_dataset_without_any_ordered_prompt_fails_its_check_but_a_command_still_searches_it(home: Home) -> None:
    unordered = [
        prompt.model_copy(
            update={"candidates": tuple(c.model_copy(update={"metadata": {"quality": 0.5}}) for c in prompt.candidates)}
        )
        for prompt in planted("a", "b")
    ]

    result = search(home, unordered)

    assert "2" in result.out
    assert results(home)["enough_tail_candidates"][0].severity is dg.AssetCheckSeverity.ERROR
    assert set(home.rows("calls/best_rubrics")) == {"a", "b"}
    assert (home.root / "exports" / "calls.json").is_file()


def test_missing_grades_are_counted(home: Home) -> None:
    unreliable = Roles(FakeInitializer(), FakeProposer(), FakeVerifier(0.3, failing=0.4), FakeJudge())

    search(home, planted("a", "b"), roles=unreliable)

    assert "few_grades_are_missing" in failed(home)
    assert " grades |" in named(home, "few_grades_are_missing")


def test_a_changed_export_is_detected(home: Home) -> None:
    prompts = planted("a", "b")
    search(home, prompts)
    path = home.root / "exports" / "calls.json"
    text = path.read_text(encoding="utf-8")
    export = json.loads(text)
    path.write_text(text.replace(export["best_rubrics"][1]["rubric"]["criteria"][0]["text"], "another"))

    outcomes = list(
        read_outcomes(home.store, TableName.best_rubrics("calls"), home.store.stored(TableName.dataset("calls")))
    )
    assert [outcome.prompt for outcome in outcomes] == [prompt.prompt for prompt in prompts]
    assert "b" in dict(differences(path, outcomes))

    path.write_text(text)
    assert dict(differences(path, outcomes)) == {}
    assert dict(differences(path, outcomes[:1])) == {"b": "is in the export but not in the tables"}
    assert list(dict(differences(path, [*outcomes, outcomes[0]]))) == ["a"]
    assert list(differences(path.with_name("other.json"), outcomes)) == [
        ("", f"{path.with_name('other.json')} does not exist")
    ]


def test_twenty_prompts_are_named_and_the_others_counted() -> None:
    metadata = faults_metadata({f"p{i}": "wrong" for i in range(MOST_NAMED + 5)})

    assert metadata["prompts_at_fault"] == MOST_NAMED + 5
    records = [record.data for record in metadata["at_fault"].records]
    assert sum(record["what is wrong"] == "wrong" for record in records) == MOST_NAMED
    assert records[-1]["what is wrong"] == "and 5 more"
