"""Which part of a text a model sees."""

from collections.abc import Callable
from functools import lru_cache

import regex

from autosr_lib.errors import SettingsError
from autosr_lib.llm.settings import CandidateExtractStrategy, ExtractionSettings, ExtractStrategy

PATTERN_SECONDS = 1.0

_THINKING_TAG = regex.compile(r"<(/?)think(?:ing)?>", regex.IGNORECASE)


class Extractor:
    """Takes from a prompt or a candidate what its settings let a model see."""

    def __init__(self, settings: ExtractionSettings) -> None:
        self._settings = settings
        # A prompt is sent once for each candidate, vote and set of criteria; a slow pattern runs once for all of them.
        self.prompt: Callable[[str], str] = lru_cache(maxsize=1024)(self._prompt)

    def _prompt(self, text: str) -> str:
        """Return the part of a prompt that the verifier sees; all of it when nothing is found.

        Raises:
            SettingsError: the pattern took too long on this text.
        """
        settings = self._settings
        if settings.extract_strategy is ExtractStrategy.IDENTITY:
            return text
        if settings.extract_strategy is ExtractStrategy.TAG:
            found = tag_blocks(text, settings.extract_tag)
        else:
            found = pattern_matches(text, settings.extract_pattern or "")
        kept = [block.strip() for block in found if block.strip()]
        return settings.extract_join_separator.join(kept) or text

    def candidate(self, text: str) -> str:
        """Return the part of a candidate that models see; all of it when nothing would be left."""
        if self._settings.candidate_extract_strategy is CandidateExtractStrategy.IDENTITY:
            return text
        spoken = without_thinking(text)
        answers = [block.strip() for block in tag_blocks(spoken, "answer") if block.strip()]
        return self._settings.candidate_extract_join_separator.join(answers) or spoken.strip() or text


def tag_blocks(text: str, tag: str) -> list[str]:
    """Return what stands between each `<tag>` and the next `</tag>`, in any case of letters."""
    name = regex.escape(tag)
    # Attributes are allowed; the pattern has no nested repetition, so its time is bounded by the length of the text.
    opening = regex.compile(rf"<{name}(?:\s[^<>]*)?>", regex.IGNORECASE)
    closing = regex.compile(rf"</{name}\s*>", regex.IGNORECASE)
    blocks: list[str] = []
    position = 0
    while (start := opening.search(text, position)) and (end := closing.search(text, start.end())):
        blocks.append(text[start.end() : end.start()])
        position = end.end()
    return blocks


def pattern_matches(text: str, pattern: str) -> list[str]:
    """Return the first group, or the whole, of each match of `pattern`.

    Raises:
        SettingsError: the pattern took longer than `PATTERN_SECONDS`. To go on with the whole text would let the speed
            of a machine decide what a model sees.
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


def without_thinking(text: str) -> str:
    """Return the text without what a model thought aloud, whose opening or closing tag may be missing."""
    spoken: list[str] = []
    position, thinking = 0, False
    for tag in _THINKING_TAG.finditer(text):
        closing = bool(tag.group(1))
        if not closing and not thinking:
            spoken.append(text[position : tag.start()])
        elif closing and not thinking:
            # Chat templates often put the opening tag into the request, so that a reply holds only the closing one.
            spoken.clear()
        if closing or not thinking:
            position = tag.end()
        thinking = not closing
    if not thinking:
        spoken.append(text[position:])
    return "".join(spoken)
