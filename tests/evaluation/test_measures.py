"""What each measure prefers, the bounds of all measures, and the text form of measures."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.measures import MEASURES, ArgumentKind, measure, parse_measure

ARTICLE = (
    "Summarize the article.\n\n"
    "The harbour of Lisbon reopened on Monday after the storm damaged three cranes. Mayor Ana Silva thanked the workers "
    "who repaired the cranes. The storm had closed the harbour for nine days. Fishermen lost income during the closure. "
    "A museum nearby will open a new gallery in June. The gallery shows old maps of the coast."
)
GOOD = "The harbour of Lisbon reopened on Monday after the storm damaged three cranes. The storm had closed it for nine days."
TEXT = st.text(alphabet=st.characters(exclude_categories=()), max_size=200)

PREFERRED = [
    ("prompt_coverage", "The storm closed the harbour and its cranes.", "Nice weather came later."),
    ("lead_coverage", "The Lisbon harbour reopened after a storm.", "The gallery shows old maps."),
    ("centrality", "storm harbour cranes gallery", "monday museum nearby thanked"),
    ("grounding", "The storm damaged cranes.", "The volcano damaged hotels."),
    ("faithfulness", "The storm damaged three cranes.", "Three cranes damaged the storm."),
    ("copying", GOOD, "Lisbon's port works again."),
    (
        "verbatim_sentences",
        "Fishermen lost income during the closure.",
        "Fishermen lost their boats during the closure.",
    ),
    ("smoothness", "The storm had closed the harbour for nine days.", "The storm of Lisbon who repaired old maps."),
    ("locality", "Mayor Ana Silva thanked the workers.", "The harbour of Lisbon shows old maps."),
    ("order", "The harbour of Lisbon. Old maps of the coast.", "Old maps of the coast. The harbour of Lisbon."),
    ("lead_first", "The harbour of Lisbon reopened.", "The gallery shows old maps."),
    ("sentence_support", "Fishermen lost income.", "Fishermen thanked the gallery of cranes."),
    (
        "adjacency",
        "The storm damaged cranes. The mayor thanked the workers.",
        "The storm damaged cranes. It shows old maps.",
    ),
    ("entity_consistency", "In the city of Lisbon.", "In the city of Madrid."),
    ("prompt_names", "Workers of Lisbon repaired cranes.", "Workers repaired cranes."),
    ("relevance", "This article is about a storm.", "Hello."),
    ("length", "one two three", "one"),
    ("shortest_sentence", "One two three four. One two three.", "One two three four. One."),
    ("longest_sentence", "One two three four.", "One two. Three four."),
    ("repetition", "one two three four five six", "one two three one two three"),
    ("variety", "storm harbour cranes", "storm storm storm"),
    ("novelty", "Storm came. Cranes broke.", "Storm came. Storm came."),
    ("cohesion", "The storm came. The storm left.", "The storm came. Maps are old."),
    ("self_contained", "The mayor spoke.", "He spoke."),
    ("completeness", "The mayor spoke.", "The mayor spoke to"),
    ("no_dangling", "The mayor spoke.", "The mayor spoke to the."),
    ("balance", "The mayor (Ana) spoke.", "The mayor (Ana spoke."),
    ("capitals", "The mayor spoke.", "the mayor spoke."),
    ("no_doubling", "The mayor spoke.", "The mayor mayor spoke."),
    ("boilerplate", "The harbour reopened.", "Click here. I hope this helps!"),
    ("impersonal", "The harbour reopened.", "I think you and we agree."),
    ("structure", "- one\n- two", "one two"),
    ("specificity", "The mayor Ana Silva spoke for 20 minutes.", "The woman spoke for a while."),
    ("numbers", "It took 9 days and 3 cranes.", "It took days and cranes."),
    ("plainness", "The ship came home.", "Transportation infrastructure rehabilitated."),
    ("density", "The storm broke cranes, walls, boats and roofs in June.", "no " * 60),
    ("length_band(3, 5)", "one two three four", "one " * 20),
    ("sentence_length(3, 6)", "The mayor spoke briefly.", "Spoke."),
    ("max_words(3)", "one two three", "one two three four five"),
    ("min_words(3)", "one two three", "one"),
    ("contains(storm, cranes)", "The storm broke the cranes.", "The storm broke."),
    ("mentions(storm, cranes)", "The storm broke a crane.", "The storm broke."),
]


@pytest.mark.parametrize(("spec", "better", "worse"), PREFERRED, ids=[spec for spec, _, _ in PREFERRED])
def test_a_measure_prefers_texts_that_fit_its_description(spec: str, better: str, worse: str) -> None:
    assert measure(spec, ARTICLE, better) > measure(spec, ARTICLE, worse)


def test_echo_prefers_an_answer_to_a_repetition_of_the_question() -> None:
    question = "Name the three largest cities of Portugal."

    answer, echo = measure("echo", question, "Lisbon, Porto and Braga."), measure("echo", question, question)

    assert answer == 1
    assert echo == 0


def test_every_measure_has_a_test_of_its_preference_and_a_description() -> None:
    tested = {parse_measure(spec).name for spec, _, _ in PREFERRED} | {"echo"}

    assert tested == set(MEASURES)
    assert all(re.fullmatch(r"[A-Z].+\.", entry.description) for entry in MEASURES.values())


def spec_of(name: str) -> str:
    arguments = {ArgumentKind.COUNT: "(5)", ArgumentKind.WORDS: "(storm, 今天)"}
    return name + arguments.get(MEASURES[name].kind, "")


@given(st.sampled_from(sorted(MEASURES)), TEXT, TEXT)
@settings(max_examples=300, deadline=None)
def test_any_measure_of_any_texts_is_between_0_and_1_and_reproducible(name: str, prompt: str, text: str) -> None:
    first, second = measure(spec_of(name), prompt, text), measure(spec_of(name), prompt, text)

    assert 0 <= first <= 1
    assert first == second


@given(st.sampled_from(sorted(MEASURES)), TEXT)
def test_not_inverts_a_measure(name: str, text: str) -> None:
    value, inverted = measure(spec_of(name), ARTICLE, text), measure(f"not {spec_of(name)}", ARTICLE, text)

    assert inverted == pytest.approx(1 - value)


@pytest.mark.parametrize(
    "spec", ["faithfulness(0.4, 0.9)", "not copying", "length_band(40, 80)", "mentions(a b, 1889)"]
)
def test_the_text_form_of_a_measure_is_parsed_to_the_same_measure(spec: str) -> None:
    assert parse_measure(str(parse_measure(spec))) == parse_measure(spec)


def test_a_ramp_is_0_below_its_low_end_and_1_above_its_high_end() -> None:
    raw = measure("lead_coverage", ARTICLE, GOOD)

    below, above = (
        measure(f"lead_coverage({raw + 0.01}, 1)", ARTICLE, GOOD),
        measure(f"lead_coverage(0, {raw - 0.01})", ARTICLE, GOOD),
    )

    assert (below, above) == (0, 1)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("truthfulness", "faithfulness"),
        ("", "faithfulness"),
        ("copying(0.5)", "0 <= low < high <= 1"),
        ("copying(0.9, 0.1)", "0 <= low < high <= 1"),
        ("copying(nan, 1)", "0 <= low < high <= 1"),
        ("length_band(0, 5)", "0 < least <= most"),
        ("max_words", "one number"),
        ("max_words(many)", "one number"),
        ("contains", "one to 50 words"),
        ("contains(a,,b)", "one to 50 words"),
        ("copying(0, 1", "faithfulness"),
    ],
)
def test_the_error_of_an_invalid_measure_names_it_and_what_is_allowed(spec: str, expected: str) -> None:
    with pytest.raises(SettingsError) as failure:
        parse_measure(spec)

    assert repr(spec) in str(failure.value)
    assert expected in str(failure.value)


def test_chinese_texts_are_measured_by_their_characters() -> None:
    prompt = "请概括下面的文章。\n\n里斯本港口在风暴之后重新开放。风暴损坏了三台起重机。工人修好了起重机。"

    related, unrelated = "风暴之后港口重新开放。", "今天天气很好。"

    for name in ("grounding", "faithfulness", "prompt_coverage"):
        assert measure(name, prompt, related) > measure(name, prompt, unrelated)


def test_a_megabyte_of_text_is_measured_in_linear_time() -> None:
    def seconds(copies: int) -> float:
        prompt, candidate = (f"{copies} The fox of Paris jumped over {word} dogs. " * copies for word in ("lazy", "12"))
        start = time.perf_counter()
        for name in MEASURES:
            measure(spec_of(name), prompt, candidate)
        return time.perf_counter() - start

    small, large = seconds(1_000), seconds(20_000)

    assert large < 60 * small + 2
