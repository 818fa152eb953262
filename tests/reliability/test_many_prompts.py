"""10,000 prompts through the reader and the survey of what there is to do."""

import json
from pathlib import Path

import pytest

from tests.assets.commands import Home

MANY = 10_000


@pytest.mark.slow
def test_ten_thousand_prompts_are_validated_and_surveyed_each(tmp_path: Path) -> None:
    home = Home(tmp_path)
    candidates = [
        {"candidate_id": name, "text": f"Text {name}.", "metadata": {"rank": n}} for n, name in enumerate("abcd", 1)
    ]
    lines = (json.dumps({"prompt_id": f"p/{n}", "prompt": f"Say {n}.", "candidates": candidates}) for n in range(MANY))
    path = tmp_path / "many.jsonl"
    path.write_text("\n".join(lines))

    valid = home.autosr("validate", str(path))
    survey = home.autosr("search", str(path), "--dry-run", "--backend", "heuristic")

    assert (valid.code, survey.code) == (0, 0), valid.err + survey.err
    assert "10,000" in valid.out.replace("10000", "10,000")
    assert "10,000" in survey.out.replace("10000", "10,000")
