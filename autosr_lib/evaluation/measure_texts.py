"""Text analysis for the measures: words, sentences and shared phrases, each computed once and in linear time.

Chinese and Japanese are written without spaces. Each of their characters is treated as a word, and each pair of
neighbouring characters as a content word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise

LARGE = 100_000
"""Length in characters above which only few analysed texts are cached."""

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|\d+(?:[.,:]\d+)*|[^\W\d_{_CJK}]+(?:['’][^\W\d_{_CJK}]+)?|[^\W_{_CJK}]+")
_IS_CJK = re.compile(f"[{_CJK}]")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]{0,3}\s+|(?<=[。！？])|\n+")
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")


def word_set(text: str) -> frozenset[str]:
    """Return the words of a space-separated list.

    >>> sorted(word_set("the a"))
    ['a', 'the']
    """
    return frozenset(text.split())


FUNCTION_WORDS = word_set("""a about above after again against all also am an and any are as at be because been before being below between
    both but by can could did do does doing down during each few for from further had has have having he her here hers
    him his how i if in into is it its itself just me more most my no nor not now of off on once only or other our out
    over own same she should so some such than that the their them then there these they this those through to too
    under until up us very was we were what when where which while who whom why will with would you your 的 了 是 在 和
    也 就 都 而 及 与 着 或 一 我 你 他 她 它 们 这 那 有 不 吗 呢 吧""")


class Text:
    """A text and its analysis; each property is computed on first access and cached.

    >>> text = Text("Cats sleep. Dogs bark in Paris!")
    >>> text.sentence_words
    (('cats', 'sleep'), ('dogs', 'bark', 'in', 'paris'))
    >>> text.names
    frozenset({'paris'})
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._shared: tuple[Text, tuple[Fragment, ...]] | None = None

    @cached_property
    def spans(self) -> tuple[tuple[str, int], ...]:
        """Return (word, number of its sentence) in order, the words as written."""
        spans: list[tuple[str, int]] = []
        for number, sentence in enumerate(self.sentences):
            spans.extend((match.group(), number) for match in _WORD.finditer(sentence))
        return tuple(spans)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Return the words in lower case."""
        return tuple(word.lower() for word, _ in self.spans)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """Return the sentences and lines that are not blank."""
        return tuple(piece.strip() for piece in _SENTENCE_END.split(self.text) if piece and piece.strip())

    @cached_property
    def sentence_words(self) -> tuple[tuple[str, ...], ...]:
        """Return the lower-case words of each sentence that has any."""
        groups: dict[int, list[str]] = {}
        for (_, number), word in zip(self.spans, self.words, strict=True):
            groups.setdefault(number, []).append(word)
        return tuple(tuple(group) for group in groups.values())

    @cached_property
    def content(self) -> Counter[str]:
        """Return the number of occurrences of each content word (see `content_words`)."""
        return Counter(content_words(self.words))

    @cached_property
    def names(self) -> frozenset[str]:
        """Return the lower-case words that are numbers, or capitalised without opening a sentence."""
        names, previous = set(), -1
        for word, sentence in self.spans:
            is_opening, previous = sentence != previous, sentence
            if word[0].isdigit() or (not is_opening and word[0].isupper() and word.lower() not in FUNCTION_WORDS):
                names.add(word.lower())
        return frozenset(names)

    @cached_property
    def bigrams(self) -> frozenset[tuple[str, str]]:
        """Return the pairs of neighbouring words."""
        return frozenset(pairwise(self.words))

    @cached_property
    def material(self) -> Text:
        """Return the text that a prompt asks about: everything after a short first paragraph, else the complete text."""
        head, *rest = _BLANK_LINE.split(self.text, maxsplit=1)
        tail = rest[0] if rest else ""
        return read_text(tail) if len(tail) > len(head) and len(head) <= 400 else self

    @cached_property
    def instruction(self) -> Text:
        """Return the short first paragraph that says what to do with the material, else the complete text."""
        return self if self.material is self else read_text(_BLANK_LINE.split(self.text, maxsplit=1)[0])

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Return the distinct lower-case words."""
        return frozenset(self.words)

    @cached_property
    def sentence_content(self) -> tuple[frozenset[str], ...]:
        """Return the content words of each sentence that has words."""
        return tuple(frozenset(content_words(words)) for words in self.sentence_words)

    @cached_property
    def sentence_index(self) -> dict[str, list[int]]:
        """Return the numbers of the first 64 sentences with each content word; the limit bounds the work."""
        index: dict[str, list[int]] = {}
        for number, words in enumerate(self.sentence_content):
            for word in words:
                sentences = index.setdefault(word, [])
                if len(sentences) < 64:
                    sentences.append(number)
        return index

    @cached_property
    def positions(self) -> dict[tuple[str, str], list[int]]:
        """Return the first eight positions of each pair of neighbouring words; the limit bounds the work."""
        positions: dict[tuple[str, str], list[int]] = {}
        for position, pair in enumerate(pairwise(self.words)):
            pair_positions = positions.setdefault(pair, [])
            if len(pair_positions) < 8:
                pair_positions.append(position)
        return positions

    def shared_with(self, prompt: Text) -> tuple[Fragment, ...]:
        """Return the runs of words shared with the prompt's material; cached for the latest prompt."""
        if self._shared is None or self._shared[0] is not prompt.material:
            self._shared = (prompt.material, shared_fragments(prompt.material, self))
        return self._shared[1]


def stem(word: str) -> str:
    """Return the word without its most common English endings; crude, but the same for prompt and candidate.

    >>> stem("walked"), stem("walking"), stem("Anna's")
    ('walk', 'walk', 'Anna')
    """
    word = word.removesuffix("'s").removesuffix("’s")
    for ending in ("ing", "ed", "es", "ly", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def is_cjk(word: str) -> bool:
    """Return whether the word begins with a Chinese or Japanese character.

    >>> is_cjk("今"), is_cjk("now")
    (True, False)
    """
    return bool(_IS_CJK.match(word))


def content_words(words: Sequence[str]) -> list[str]:
    """Return the stems of the words other than function words, and the pairs of neighbouring CJK characters.

    >>> content_words(["the", "cats", "in", "1889", "今", "天"])
    ['cat', '1889', '今天']
    """
    stems = [
        stem(word)
        for word in words
        if word not in FUNCTION_WORDS and not is_cjk(word) and (len(word) > 2 or word[0].isdigit())
    ]
    cjk_pairs = [a + b for a, b in pairwise(words) if is_cjk(a) and is_cjk(b)]
    return stems + cjk_pairs


class Fragment:
    """A run of words that the candidate shares with the prompt's material.

    `start` and `source` are the positions of its first word in the candidate and in the material.
    """

    __slots__ = ("length", "source", "start")

    def __init__(self, start: int, source: int, length: int) -> None:
        self.start = start
        self.source = source
        self.length = length


def shared_fragments(material: Text, candidate: Text) -> tuple[Fragment, ...]:
    """Return the runs of two words or more that the candidate shares with the material, longest first from the left.

    These are the extractive fragments of Grusky et al. 2018 (Newsroom), except that at most eight positions of the
    material are compared for a run.

    >>> [run.length for run in shared_fragments(Text("one two three four"), Text("two three five four"))]
    [2]
    """
    words, source_words, positions = candidate.words, material.words, material.positions
    fragments, start = [], 0
    while start < len(words) - 1:
        longest = Fragment(start, 0, 0)
        for source in positions.get((words[start], words[start + 1]), ()):
            length = 2
            limit = min(len(words) - start, len(source_words) - source)
            while length < limit and words[start + length] == source_words[source + length]:
                length += 1
            if length > longest.length:
                longest = Fragment(start, source, length)
        if longest.length:
            fragments.append(longest)
        start += max(1, longest.length)
    return tuple(fragments)


_cached_small = lru_cache(maxsize=1024)(Text)
_cached_large = lru_cache(maxsize=4)(Text)


def read_text(text: str) -> Text:
    """Return the analysis of a text, cached; few large texts are cached, to bound memory.

    >>> read_text("Cats sleep.") is read_text("Cats sleep.")
    True
    """
    return (_cached_small if len(text) <= LARGE else _cached_large)(text)
