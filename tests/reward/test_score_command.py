"""The commands `autosr score` and `autosr rubrics export`, on real files."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.assets.commands import CommandResult
from tests.llm.server import Fault, ModelServer, Says, Status, user_text
from tests.reward.searched_home import SearchedHome


def response_rows(home: SearchedHome, count: int = 6) -> list[dict[str, Any]]:
    prompt_ids = home.prompt_ids
    return [
        {
            "id": i,
            "prompt_id": prompt_ids[i % len(prompt_ids)],
            "response": f"Response, number {i}.\nWith “two” lines.",
            "model": "m",
        }
        for i in range(count)
    ]


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    match path.suffix:
        case ".csv":
            pd.DataFrame(rows).to_csv(path, index=False)
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        case _:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    match path.suffix:
        case ".csv":
            rows = pd.read_csv(path).to_dict("records")
            return [{**row, "grades": json.loads(row["grades"])} for row in rows]
        case ".parquet":
            return pq.read_table(path).to_pylist()
        case _:
            return [json.loads(line) for line in path.read_text().splitlines()]


def score(home: SearchedHome, *arguments: str | Path) -> CommandResult:
    return home.autosr_on_export("score", *arguments)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_scoring_adds_scores_and_grades_and_keeps_all_other_columns(
    suffix: str, model_home: SearchedHome, tmp_path: Path
) -> None:
    rows = response_rows(model_home)
    responses = write_rows(tmp_path / f"in{suffix}", rows)

    result = score(model_home, responses)

    scored = read_rows(tmp_path / f"in.scored{suffix}")
    assert result.code == 0, result.err
    assert "6 of 6 rows scored; 6 responses graded now; 0 before" in result.out
    assert [{name: row[name] for name in rows[0]} for row in scored] == rows
    for row in scored:
        assert 0 <= row["score"] <= 1
        assert row["ungraded"] == 0
        assert row["grades"][0]["reasons"] == ["seen"]
        assert row["score"] == pytest.approx(sum(grade["weight"] * grade["grade"] for grade in row["grades"]))


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_only_new_responses_are_graded_by_a_second_run(suffix: str, model_home: SearchedHome, tmp_path: Path) -> None:
    with ModelServer() as server:
        options = ("--output", tmp_path / f"out{suffix}", "--base-url", server.base_url, "--votes", "1")
        score(model_home, write_rows(tmp_path / f"in{suffix}", response_rows(model_home, 4)), *options)
        sent = len(server.requests)
        first = read_rows(tmp_path / f"out{suffix}")
        model_home.autosr("cache", "clear", "--yes")

        again = score(model_home, tmp_path / f"in{suffix}", *options)
        sent_again = len(server.requests)
        extended = score(model_home, write_rows(tmp_path / f"in{suffix}", response_rows(model_home, 5)), *options)

        assert (again.code, extended.code) == (0, 0), again.err + extended.err
        assert sent_again == sent > 0
        assert "0 responses graded now; 4 before" in again.out
        assert "1 response graded now; 4 before" in extended.out
        assert read_rows(tmp_path / f"out{suffix}")[:4] == first


def test_a_spent_budget_ends_the_run_and_the_same_command_continues(model_home: SearchedHome, tmp_path: Path) -> None:
    responses = write_rows(tmp_path / "in.jsonl", response_rows(model_home, 8))
    with ModelServer() as server:
        options = ("--base-url", server.base_url, "--max-concurrency", "1")

        limited = score(model_home, responses, *options, "--max-calls", "3")
        done = sum(row["score"] is not None for row in read_rows(tmp_path / "in.scored.jsonl"))
        continued = score(model_home, responses, *options)

        assert limited.code == 3
        assert f"{done} of 8 rows scored" in limited.out
        assert f"{8 - done} rows not graded: max_calls of the run is 3" in limited.out
        assert 0 < done < 8
        assert continued.code == 0, continued.err
        assert f"{8 - done} responses graded now; {done} before" in continued.out


def test_a_killed_run_loses_no_finished_score(model_home: SearchedHome, tmp_path: Path) -> None:
    responses = write_rows(tmp_path / "in.jsonl", response_rows(model_home, 3))
    score(model_home, responses)
    complete = read_rows(tmp_path / "in.scored.jsonl")
    finished = [
        {name: row[name] for name in ("prompt_id", "response", "score", "ungraded", "grades", "scored_by")}
        for row in complete
    ]
    (tmp_path / "in.scored.jsonl").unlink()
    journal = tmp_path / "in.scored.jsonl.journal.jsonl"
    journal.write_text("".join(json.dumps(row) + "\n" for row in finished[:2]) + json.dumps(finished[2])[:40])

    result = score(model_home, responses)

    assert "1 response graded now; 2 before" in result.out
    assert read_rows(tmp_path / "in.scored.jsonl") == complete
    assert not journal.exists()


def test_an_unscored_response_is_null_and_counted_and_graded_again_by_the_next_run(
    model_home: SearchedHome, tmp_path: Path
) -> None:
    responses = write_rows(tmp_path / "in.jsonl", response_rows(model_home, 3))
    is_unreadable = True

    def unreadable_for_number_one(_: int, body: dict[str, Any]) -> Fault | None:
        return Says("no idea") if is_unreadable and "number 1" in user_text(body) else None

    with ModelServer(faults=unreadable_for_number_one) as server:
        first = score(model_home, responses, "--base-url", server.base_url)
        scores = [row["score"] for row in read_rows(tmp_path / "in.scored.jsonl")]
        is_unreadable = False
        second = score(model_home, responses, "--base-url", server.base_url)

    assert [score is None for score in scores] == [False, True, False]
    assert "1 unscored, to be graded again by the next run" in first.out
    assert "1 response graded now; 2 before" in second.out
    assert all(row["score"] is not None for row in read_rows(tmp_path / "in.scored.jsonl"))


def test_an_endpoint_that_refuses_requests_is_reported_without_a_traceback(
    model_home: SearchedHome, tmp_path: Path
) -> None:
    responses = write_rows(tmp_path / "in.jsonl", response_rows(model_home, 2))
    with ModelServer(faults=lambda *_: Status(401, "no such key")) as server:
        result = score(model_home, responses, "--base-url", server.base_url)

    assert result.code == 3
    assert "2 rows not graded" in result.out
    assert "Traceback" not in result.err


def test_unknown_prompts_are_named_and_nothing_is_graded(model_home: SearchedHome, tmp_path: Path) -> None:
    rows = [
        *response_rows(model_home, 2),
        *({"prompt_id": name, "response": "x"} for name in ("unknown-1", "unknown-2")),
    ]
    responses = write_rows(tmp_path / "in.jsonl", rows)

    refused = score(model_home, responses)
    skipped = score(model_home, responses, "--skip-unknown")

    assert refused.code == 2
    assert "has no rubric for prompt_id 'unknown-1'; has no rubric for prompt_id 'unknown-2'" in refused.err
    assert skipped.code == 0
    assert "2 skipped because their prompt has no rubric" in skipped.out
    assert [row["score"] is None for row in read_rows(tmp_path / "in.scored.jsonl")] == [False, False, True, True]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"prompt_id": "p"}\n', "line 1: response is missing"),
        ("a.jsonl", '{"prompt_id": 3, "response": "x"}\n', "line 1: prompt_id is 3; must be text"),
        ("a.jsonl", '{"prompt_id": "p", "response": "x", "score": 1}\n', "score is a column that scoring adds"),
        ("a.jsonl", "[1]\n", "line 1: a list of 1 is not an object"),
        ("a.jsonl", "", "holds no rows"),
        ("a.csv", "prompt_id,response\na\n", "row 2: has 1 cell, the header has 2"),
        ("a.parquet", "no", "cannot be read"),
        ("a.txt", "no", ".txt suffix; allowed are .jsonl, .ndjson, .csv, .parquet"),
    ],
)
def test_a_faulty_file_is_refused_with_the_location_of_the_fault(
    name: str, content: str, message: str, model_home: SearchedHome, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(content)

    result = score(model_home, tmp_path / name)

    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1


def test_equal_responses_are_graded_once(model_home: SearchedHome, tmp_path: Path) -> None:
    row = response_rows(model_home, 1)[0]
    responses = write_rows(tmp_path / "in.jsonl", [{**row, "id": i} for i in range(5)])

    result = score(model_home, responses)

    assert "5 of 5 rows scored; 1 response graded now" in result.out


def test_offline_rubrics_score_without_a_key(offline_home: SearchedHome, tmp_path: Path) -> None:
    result = score(offline_home, write_rows(tmp_path / "in.csv", response_rows(offline_home)))

    assert result.code == 0, result.err
    assert "6 of 6 rows scored" in result.out


@pytest.mark.parametrize("shape", ["points", "verifiers"])
def test_rubrics_are_exported_in_the_formats_of_other_graders(
    shape: str, offline_home: SearchedHome, tmp_path: Path
) -> None:
    export = ("rubrics", "export", str(offline_home.export_path))

    result = offline_home.autosr(*export, str(tmp_path / "out"), "--shape", shape)
    refused = offline_home.autosr(*export, str(tmp_path / "x"), "--shape", "circle")

    assert result.code == 0, result.err
    assert result.out.startswith(f"{len(offline_home.prompt_ids)} rubrics written to ")
    assert (refused.code, refused.err) == (2, "autosr: shape is 'circle'; must be one of points, verifiers\n")
