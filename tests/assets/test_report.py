"""The report of a search: its contents, and the limits of its claims."""

import json
from pathlib import Path

import pytest

from autosr_assets.views import report as reports
from autosr_assets.views.report import verdict
from autosr_lib.evaluation.holdout import HoldoutCount, HoldoutSummary, PairCount, summarise_holdout
from autosr_lib.results import summary
from autosr_lib.search.roles import Roles
from tests.assets.commands import Home, planted, write_prompts
from tests.fakes import FakeInitializer, FakeJudge, FakeProposer, FakeVerifier, fake_roles

EVIL = "<script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Return a home with a small search, in which the text of a candidate is markup."""
    folder: Path = tmp_path_factory.mktemp("report")
    prompts = [prompt.model_dump(mode="json") for prompt in planted("one", "two", "three")]
    prompts[0]["candidates"][0]["text"] = EVIL
    (folder / "planted.json").write_text(json.dumps(prompts))
    home = Home(folder / "home")
    assert home.autosr("search", str(folder / "planted.json"), "--probing", "all", roles=fake_roles()).code == 0
    return home


def page(home: Home) -> str:
    return (home.root / "exports" / "planted.html").read_text(encoding="utf-8")


def test_every_prompt_is_shown_with_its_rubrics_scores_and_figures(home: Home) -> None:
    shown = page(home)

    for entry in home.export("planted")["best_rubrics"]:
        assert f"<strong>{entry['prompt_id']}</strong>" in shown
        assert all(criterion["text"] in shown for criterion in entry["rubric"]["criteria"])
        assert all(f"{score:.3f}" in shown for score in entry["candidate_scores"].values() if score is not None)
        assert f"{entry['initial_objective_score']:.3f} → {entry['objective_score']:.3f}" in shown
    assert shown.index('<th scope="row">unseen</th>') < shown.index('<th scope="row">touching</th>')


def test_calls_are_listed_by_role_with_a_line_for_probes_and_none_for_a_missing_pool(home: Home) -> None:
    shown, totals = page(home), home.export("planted")["run_manifest"]["totals"]

    assert totals["probe_calls"] > 0
    assert f'<th scope="row">probes</th><td class="n">{totals["probe_calls"]:,}</td>' in shown
    assert f'<th scope="row">judge</th><td class="n">{totals["judge_calls"]:,}</td>' in shown
    assert '<th scope="row">responder</th>' not in shown


def test_it_is_a_single_file_without_scripts_and_network_access(home: Home) -> None:
    shown = page(home)

    assert "<script" not in shown
    assert "src=" not in shown
    assert "default-src 'none'" in shown
    assert "&lt;script&gt;document.title=" in shown


def test_it_is_written_again_from_stored_data_byte_for_byte(home: Home) -> None:
    path = home.root / "exports" / "planted.html"
    before = path.read_bytes()
    path.unlink()

    result = home.autosr("report", "planted")

    assert (result.code, result.out.strip()) == (0, str(path))
    assert path.read_bytes() == before


def test_an_unknown_search_is_named_with_those_that_exist(home: Home) -> None:
    result = home.autosr("report", "plantd")

    assert result.code == 2
    assert "'plantd'" in result.err
    assert "planted" in result.err


def test_the_prompts_that_changed_most_are_described_in_detail_and_all_are_in_the_table(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = page(home)
    monkeypatch.setattr(summary, "DETAILED_PROMPTS", 1)

    home.autosr("report", "planted")

    shown = page(home)
    assert (complete.count('<details id="prompt-'), shown.count('<details id="prompt-')) == (3, 1)
    gains = {
        entry["prompt_id"]: entry["objective_score"] - entry["initial_objective_score"]
        for entry in home.export("planted")["best_rubrics"]
    }
    assert f"<summary><strong>{max(gains, key=lambda name: abs(gains[name]))}</strong>" in shown
    assert all(name in shown.split('id="all"')[1] for name in gains)


def test_a_long_table_is_collapsed_in_parts(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "FOLDED_AT", 2)

    home.autosr("report", "planted")

    table = page(home).split('id="all"')[1]
    assert [f"<summary>{fold}</summary>" in table for fold in ("one to two", "three to three")] == [True, True]
    assert table.count('<th scope="row">') == 3


def test_a_failed_prompt_is_named_with_its_error(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    roles = Roles(FakeInitializer(failing=frozenset({"bad"})), FakeProposer(), FakeVerifier(), FakeJudge())

    home.autosr("search", write_prompts(tmp_path / "failing.json", planted("good", "bad")), roles=roles)

    shown = (home.root / "exports" / "failing.html").read_text(encoding="utf-8")

    assert "1 failed" in shown
    assert "<strong>bad</strong>: " in shown


@pytest.mark.parametrize(
    ("unseen", "remembered", "sentence"),
    [
        ((2, 1.0, 2.0), 2.0, "more than chance explains"),
        ((2, 1.0, 1.0), 2.0, "is not significant"),
        ((2, 2.0, 1.0), 2.0, "worse than the first ones"),
        ((0, 0.0, 0.0), 2.0, "no figure here is free of remembered labels"),
        ((2, 1.0, 2.0), 4.0, "visible labels alone earn as much"),
    ],
)
def test_the_verdict_claims_no_more_than_the_unseen_pairs_show(
    unseen: tuple[int, float, float], remembered: float, sentence: str
) -> None:
    count = HoldoutCount(PairCount(4, 2.0, 3.0), PairCount(*unseen), remembered)

    assert sentence in verdict(summary_of(count))


def summary_of(count: HoldoutCount) -> HoldoutSummary:
    summary = summarise_holdout([count] * 5)
    assert summary is not None
    return summary
