"""`autosr validate` and `autosr prompts export`."""

import json
from pathlib import Path

import pytest

from tests.assets.commands import Home

DEMO = Path(__file__).parents[2] / "examples" / "demo_dataset.json"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def test_a_dataset_is_validated_with_the_reference_of_its_prompts(home: Home, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    prompts = json.loads(DEMO.read_text())
    prompts["prompts"][0]["candidates"] = []
    broken.write_text(json.dumps(prompts))

    valid, invalid = home.autosr("validate", str(DEMO)), home.autosr("validate", str(broken))
    skipped = home.autosr("validate", str(broken), "--skip-invalid")

    assert valid.code == 0
    assert "quality: 3 prompts" in valid.out
    assert invalid.code == 2
    assert "prompts[0].candidates" in invalid.err
    assert skipped.code == 0
    assert "quality: 2 prompts" in skipped.out
    assert "prompts[0].candidates" in skipped.out


def test_templates_are_copied_and_never_overwritten(home: Home, tmp_path: Path) -> None:
    first, again = (home.autosr("prompts", "export", str(tmp_path / "templates")) for _ in range(2))

    assert first.code == 0
    assert list((tmp_path / "templates").rglob("verifier.*"))
    assert again.code == 2
    assert "already exists" in again.err
