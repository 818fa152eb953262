"""Complete searches of prompts with hostile ids (paths, devices, line breaks) and unusual texts, labels and sizes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.assets.commands import Home

SMALL = ("--generations", "1", "--mutations-per-round", "1", "--backend", "heuristic")
IDS = [
    "../../etc/passwd",
    "a/b",
    ".",
    "..",
    "/",
    "CON",
    "con",
    "Con",
    "nul.txt",
    "x" * 300,
    "x" * 299 + "y",
    "🙂🏽",
    "\u202eevil\u202c",
    "two\nlines",
    " ",
    "a...b",
    "--help",
    "C:\\x",
    "%2e%2e",
    "{{ prompt }}",
]


def ranked_prompt(prompt_id: str, *texts: str) -> dict[str, Any]:
    candidates = [{"candidate_id": f"c{n}", "text": text, "metadata": {"rank": n + 1}} for n, text in enumerate(texts)]
    return {"prompt_id": prompt_id, "prompt": "Explain rain to a child.", "candidates": candidates}


def write_dataset(path: Path, *prompts: dict[str, Any]) -> str:
    path.write_text(json.dumps({"prompts": prompts}))
    return str(path)


@pytest.mark.slow
def test_prompts_with_any_id_are_searched_and_stored_in_separate_files_inside_the_storage_root(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "home")
    home.root.mkdir(parents=True)
    texts = ("Rain is water that falls from clouds.", "Water falls.", "I do not know.", "rain rain rain")
    prompts = (ranked_prompt(prompt_id, f"{prompt_id} {texts[0]}", *texts[1:]) for prompt_id in IDS)
    path = write_dataset(tmp_path / "ids.json", *prompts)

    result = home.autosr("search", path, *SMALL)

    assert result.code == 0, result.err + result.out
    best = home.rows("ids/best_rubrics")
    assert sorted(row["prompt_id"] for rows in best.values() for row in rows) == sorted(IDS)
    assert [entry["prompt_id"] for entry in home.export("ids")["best_rubrics"]] == IDS
    outside = [file for file in tmp_path.rglob("*") if file.is_file() and home.root not in file.parents]
    assert outside == [Path(path)]
    names = [file.name.lower() for file in (home.root / "storage" / "ids" / "best_rubrics").iterdir()]
    assert len(names) == len(set(names)) == len(IDS)
    assert home.autosr("show", "../../etc/passwd", "--name", "ids").code == 0


@pytest.mark.slow
def test_unusual_texts_labels_and_sizes_have_a_defined_result(tmp_path: Path) -> None:
    home = Home(tmp_path)
    tied = ranked_prompt("tied", "One.", "Two.", "Three.", "Four.")
    for candidate in tied["candidates"]:
        candidate["metadata"] = {"rank": 1}
    path = write_dataset(
        tmp_path / "odd.json",
        ranked_prompt("an empty text", "Rain is water that falls.", "", "Water.", "Rain."),
        ranked_prompt("identical", "Rain.", "Rain.", "Rain.", "Rain."),
        ranked_prompt("two candidates", "Rain is water that falls.", "No."),
        ranked_prompt("a megabyte", "Rain is water. " * 70_000, "Rain is water.", "Water.", "No."),
        ranked_prompt("many candidates", *(f"Rain is water, told in {n} words. " * (1 + n % 7) for n in range(200))),
        tied,
    )

    result = home.autosr("search", path, *SMALL)

    assert result.code == 0, result.err + result.out
    export = json.loads(
        (home.root / "exports" / "odd.json").read_text(),
        parse_constant=lambda text: pytest.fail(f"{text} in the export"),
    )
    assert len(export["best_rubrics"]) == 6
    for entry in export["best_rubrics"]:
        assert 0.99 < sum(criterion["weight"] for criterion in entry["rubric"]["criteria"]) < 1.01
        assert all(score is None or 0 <= score <= 1 for score in entry["candidate_scores"].values())
    scores = {entry["prompt_id"]: entry["candidate_scores"] for entry in export["best_rubrics"]}
    assert len(set(scores["identical"].values())) == 1
    assert len(scores["many candidates"]) == 200
