"""Malformed datasets, settings, presets, templates and replies: each raises the expected error.

The cases are in the YAML files of `tests/corpus/`, each with a name, the content and the error.
"""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.corpus.cases import KINDS, error_message

CASES: list[tuple[str, dict[str, Any]]] = [
    (path.stem, case)
    for path in sorted((Path(__file__).parent / "corpus").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]


def test_the_corpus_has_all_kinds_and_no_duplicate_case() -> None:
    names = [(kind, case["name"]) for kind, case in CASES]

    assert {kind for kind, _ in names} == set(KINDS)
    assert len(names) == len(set(names)) > 80


@pytest.mark.parametrize(("kind", "case"), CASES, ids=[f"{kind}: {case['name']}" for kind, case in CASES])
def test_malformed_input_raises_its_error_in_one_line(kind: str, case: dict[str, Any], tmp_path: Path) -> None:
    message = error_message(kind, case["name"], case["content"], tmp_path)

    assert message == case["error"]
    assert "\n" not in message
