"""Extraction of the part of a prompt or candidate that a model sees."""

from collections.abc import Callable
from functools import lru_cache

import regex

from autosr_lib.errors import SettingsError
from autosr_lib.llm.settings import CandidateExtractStrategy, ExtractionSettings, ExtractStrategy

PATTERN_SECONDS = 1.0
"""Timeout of a pattern on one prompt."""

_THINKING_TAG = regex.compile(r"<(/?)think(?:ing)?>", regex.IGNORECASE)


class Extractor:
    """Extracts the visible part of prompts and candidates, according to the settings.

    >>> extractor = Extractor(ExtractionSettings(extract_strategy="tag", extract_tag="task"))
    >>> extractor.extract_prompt("Noise. <task>Explain rain.</task>")
    'Explain rain.'
    >>> extractor.extract_candidate("<think>Hm.</think> It falls.")
    'It falls.'
    """

    def __init__(self, settings: ExtractionSettings) -> None:
        self._settings = settings
        # A prompt is sent once per candidate, vote and set of criteria; the cache runs a slow pattern only once.
        self.extract_prompt: Callable[[str], str] = lru_cache(maxsize=1024)(self._extract_prompt)

    def _extract_prompt(self, text: str) -> str:
        """Return the part of a prompt that the verifier sees; all of it if nothing matches.

        Raises:
            SettingsError: the pattern took too long on this text.
        """
        settings = self._settings
        if settings.extract_strategy is ExtractStrategy.IDENTITY:
            return text
        if settings.extract_strategy is ExtractStrategy.TAG:
            parts = tag_blocks(text, settings.extract_tag)
        else:
            parts = pattern_matches(text, settings.extract_pattern or "")
        return settings.extract_join_separator.join(_stripped(parts)) or text

    def extract_candidate(self, text: str) -> str:
        """Return the part of a candidate that models see; all of it if nothing would be left."""
        if self._settings.candidate_extract_strategy is CandidateExtractStrategy.IDENTITY:
            return text
        answer = strip_thinking(text)
        blocks = _stripped(tag_blocks(answer, "answer"))
        return self._settings.candidate_extract_join_separator.join(blocks) or answer.strip() or text


def tag_blocks(text: str, tag: str) -> list[str]:
    """Return the text between each `<tag>` and the next `</tag>`; upper and lower case are equal.

    >>> tag_blocks("<Q n='1'>one</Q> and <q>two</q>", "q")
    ['one', 'two']
    """
    name = regex.escape(tag)
    # Attributes are allowed. The pattern has no nested repetition, so its time is bounded by the length of the text.
    opening = regex.compile(rf"<{name}(?:\s[^<>]*)?>", regex.IGNORECASE)
    closing = regex.compile(rf"</{name}\s*>", regex.IGNORECASE)
    blocks: list[str] = []
    position = 0
    while (start := opening.search(text, position)) and (end := closing.search(text, start.end())):
        blocks.append(text[start.end() : end.start()])
        position = end.end()
    return blocks


def pattern_matches(text: str, pattern: str) -> list[str]:
    r"""Return the first group of each match of `pattern`, or the entire match if the pattern has no group.

    A timeout is an error: falling back to the complete text would let the speed of the machine decide what a model sees.

    Raises:
        SettingsError: the pattern took longer than `PATTERN_SECONDS`.

    >>> pattern_matches("Q: why? Q: how?", r"Q: (\w+)")
    ['why', 'how']
    """
    compiled = regex.compile(pattern, regex.DOTALL)
    group = 1 if compiled.groups else 0
    try:
        return [match.group(group) or "" for match in compiled.finditer(text, timeout=PATTERN_SECONDS)]
    except TimeoutError as error:
        raise SettingsError(
            f"extract_pattern {pattern!r} took more than {PATTERN_SECONDS:g} s on a prompt of {len(text)} characters; "
            "write it without nested repetition, or use extract_strategy 'tag'"
        ) from error


def strip_thinking(text: str) -> str:
    """Return the text outside `<think>` and `<thinking>` blocks; the opening or closing tag may be missing.

    >>> strip_thinking("<think>Maybe B?</think>A"), strip_thinking("Maybe B?</think>A"), strip_thinking("A<think>or B")
    ('A', 'A', 'A')
    """
    visible: list[str] = []
    position, is_thinking = 0, False
    for tag in _THINKING_TAG.finditer(text):
        is_closing = bool(tag.group(1))
        if not is_closing and not is_thinking:
            visible.append(text[position : tag.start()])
        elif is_closing and not is_thinking:
            # Chat templates often put the opening tag into the request, so the reply contains only the closing tag.
            visible.clear()
        if is_closing or not is_thinking:
            position = tag.end()
        is_thinking = not is_closing
    if not is_thinking:
        visible.append(text[position:])
    return "".join(visible)


def _stripped(parts: list[str]) -> list[str]:
    """Return the parts without surrounding whitespace, leaving out empty ones."""
    return [stripped for part in parts if (stripped := part.strip())]
