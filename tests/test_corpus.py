"""Malformed datasets, settings, presets, templates and replies: each gets just the error that stands beside it.

The cases are the YAML files of `tests/corpus/`: a name, what is read, and the error.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.corpus.cases import KINDS, told

CASES: list[tuple[str, dict[str, Any]]] = [
    (path.stem, case)
    for path in sorted((Path(__file__).parent / "corpus").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]


def test_the_corpus_has_every_kind_and_no_case_twice() -> None:
    names = [(kind, case["name"]) for kind, case in CASES]

    assert {kind for kind, _ in names} == set(KINDS)
    assert len(names) == len(set(names)) > 80


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{kind}: {case['name']}" for kind, case in CASES])
def test_what_is_malformed_gets_its_error_in_one_line(kind: str, case: dict[str, Any], tmp_path: Path) -> None:
    said = told(kind, case["name"], case["content"], tmp_path)

    assert said == case["error"]
    assert "\n" not in said
