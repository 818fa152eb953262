"""Which part of a text a model sees."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from autosr_lib.errors import SettingsError
from autosr_lib.llm.extraction import Extractor, without_thinking
from autosr_lib.llm.settings import ExtractionSettings


def extractor(**settings: Any) -> Extractor:
    return Extractor(ExtractionSettings(**settings))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain", "plain"),
        ("<think>hm</think> The answer.", "The answer."),
        ("hm</think>The answer.", "The answer."),
        ("The answer.<think>but", "The answer."),
        ("<think>a <answer>draft</answer></think><answer> one </answer> and <answer>two</answer>", "one|two"),
        ("<ANSWER>loud</ANSWER>", "loud"),
        ("<answer>never closed", "<answer>never closed"),
        ("<answer></answer>", "<answer></answer>"),
        ("<think>nothing else", "<think>nothing else"),
        ("", ""),
    ],
)
def test_of_a_candidate_its_answers_are_seen_else_what_it_did_not_think(text: str, seen: str) -> None:
    assert extractor(candidate_extract_join_separator="|").candidate(text) == seen


def test_identity_shows_a_candidate_as_it_is() -> None:
    assert extractor(candidate_extract_strategy="identity").candidate("<think>x</think>y") == "<think>x</think>y"


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({}, "Read <task a='1'>one</task> then <task>two</task>. Q: why? Q: how?"),
        ({"extract_strategy": "tag", "extract_tag": "task"}, "one\n\ntwo"),
        (
            {"extract_strategy": "tag", "extract_tag": "none"},
            "Read <task a='1'>one</task> then <task>two</task>. Q: why? Q: how?",
        ),
        ({"extract_strategy": "regex", "extract_pattern": r"Q: (\w+)", "extract_join_separator": "+"}, "why+how"),
        ({"extract_strategy": "regex", "extract_pattern": r"Q: \w+", "extract_join_separator": "+"}, "Q: why+Q: how"),
    ],
)
def test_of_a_prompt_the_wanted_part_is_seen(settings: dict[str, Any], seen: str) -> None:
    text = "Read <task a='1'>one</task> then <task>two</task>. Q: why? Q: how?"

    assert extractor(**settings).prompt(text) == seen


def test_a_pattern_that_would_run_for_ever_is_cut_off() -> None:
    slow = extractor(extract_strategy="regex", extract_pattern="(a|aa)+$")
    started = time.process_time()  # which the limit is of, so that other work on the machine decides nothing

    with pytest.raises(SettingsError, match=r"extract_pattern '\(a\|aa\)\+\$' took more than 1 s"):
        slow.prompt("a" * 80 + "!")

    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "settings",
    [
        {"extract_strategy": "regex"},
        {"extract_strategy": "regex", "extract_pattern": "("},
        {"extract_strategy": "tag", "extract_tag": "<a>"},
        {"extract_strategy": "xpath"},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExtractionSettings(**settings)


@pytest.mark.parametrize("text", ["<think>" * 50_000, "</think>" * 50_000, "<answer>" * 50_000, "<answer " * 50_000])
def test_a_text_full_of_tags_takes_no_time(text: str) -> None:
    started = time.process_time()

    extractor().candidate(text)
    without_thinking(text)

    assert time.process_time() - started < 2
