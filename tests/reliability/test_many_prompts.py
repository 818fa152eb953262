"""10,000 prompts are read, surveyed for pending work and registered with Dagster; `benchmarks.growth` searches them."""

import json
from pathlib import Path

import dagster as dg
import pytest

from autosr_assets.components import PromptDataset
from autosr_assets.definitions import shared
from autosr_lib.settings import DatasetRunSettings
from autosr_lib.storage.partition_keys import partition_key
from tests.assets.commands import Home

PROMPTS = 10_000
RANGE = 5
"""Prompts in the range that is run: the last ones."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of 10,000 prompts with a slash in their ids."""
    candidates = [
        {"candidate_id": name, "text": f"Text {name}.", "metadata": {"rank": n}} for n, name in enumerate("abcd", 1)
    ]
    lines = (
        json.dumps({"prompt_id": f"p/{n}", "prompt": f"Say {n}.", "candidates": candidates}) for n in range(PROMPTS)
    )
    path = tmp_path_factory.mktemp("many") / "many.jsonl"
    path.write_text("\n".join(lines))
    return path


def test_ten_thousand_prompts_are_validated_and_surveyed(dataset: Path, tmp_path: Path) -> None:
    home = Home(tmp_path)

    valid = home.autosr("validate", str(dataset))
    survey = home.autosr("search", str(dataset), "--dry-run", "--backend", "heuristic")

    assert (valid.code, survey.code) == (0, 0), valid.err + survey.err
    assert "10,000" in valid.out.replace("10000", "10,000")
    assert "10,000" in survey.out.replace("10000", "10,000")


def test_ten_thousand_prompts_become_partitions_in_the_order_of_the_file_and_a_range_of_them_can_be_run(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    home.autosr("validate", str(dataset))  # creates Dagster's home
    monkeypatch.setenv("AUTOSR_HOME", str(home.root))
    component = PromptDataset(settings=DatasetRunSettings(path=str(dataset)))
    graph = dg.Definitions.merge(shared(), component.definitions("many")).resolve_implicit_global_asset_job_def()
    keys = [partition_key(f"p/{n}") for n in range(PROMPTS)]

    with home.dagster() as instance:
        read_run = graph.get_subset(asset_selection={dg.AssetKey(["many", "dataset"])}).execute_in_process(
            instance=instance
        )
        registered = list(instance.get_dynamic_partitions("many_prompts"))
        preferences_run = graph.get_subset(asset_selection={dg.AssetKey(["many", "preferences"])}).execute_in_process(
            instance=instance,
            tags={
                "dagster/asset_partition_range_start": keys[-RANGE],
                "dagster/asset_partition_range_end": keys[-1],
            },
        )
        materialized = instance.get_materialized_partitions(dg.AssetKey(["many", "preferences"]))

    assert read_run.success
    assert all(check.passed for check in read_run.get_asset_check_evaluations())
    assert registered == keys
    assert preferences_run.success
    assert materialized == set(keys[-RANGE:])
    assert len(home.rows("many/preferences")) == RANGE
