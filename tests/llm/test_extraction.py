"""The part of a text that a model sees."""

import time
from typing import Any

import pytest
from pydantic import ValidationError

from autosr_lib.errors import SettingsError
from autosr_lib.llm.extraction import Extractor, strip_thinking
from autosr_lib.llm.settings import ExtractionSettings


def extractor(**settings: Any) -> Extractor:
    return Extractor(ExtractionSettings(**settings))


@pytest.mark.parametrize(
    ("text", "visible"),
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
def test_a_candidate_is_reduced_to_its_answers_or_to_the_text_outside_thinking(text: str, visible: str) -> None:
    assert extractor(candidate_extract_join_separator="|").extract_candidate(text) == visible


def test_identity_shows_an_unchanged_candidate() -> None:
    assert (
        extractor(candidate_extract_strategy="identity").extract_candidate("<think>x</think>y") == "<think>x</think>y"
    )


@pytest.mark.parametrize(
    ("settings", "visible"),
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
def test_a_prompt_is_reduced_to_the_configured_part(settings: dict[str, Any], visible: str) -> None:
    text = "Read <task a='1'>one</task> then <task>two</task>. Q: why? Q: how?"

    assert extractor(**settings).extract_prompt(text) == visible


def test_a_pattern_that_would_not_terminate_raises_an_error() -> None:
    slow = extractor(extract_strategy="regex", extract_pattern="(a|aa)+$")
    started = time.process_time()  # not affected by other work on the machine

    with pytest.raises(SettingsError, match=r"extract_pattern '\(a\|aa\)\+\$' took more than 1 s"):
        slow.extract_prompt("a" * 80 + "!")

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
def test_invalid_settings_are_rejected(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ExtractionSettings(**settings)


@pytest.mark.parametrize("text", ["<think>" * 50_000, "</think>" * 50_000, "<answer>" * 50_000, "<answer " * 50_000])
def test_a_text_with_many_tags_is_processed_quickly(text: str) -> None:
    started = time.process_time()

    extractor().extract_candidate(text)
    strip_thinking(text)

    assert time.process_time() - started < 2
