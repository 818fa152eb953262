"""What the measures read of a text: its words, sentences and phrases, each found once and in linear time.

Chinese and Japanese are written without spaces, so each of their characters is a word here and a pair of neighbouring
characters counts as a content word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cached_property, lru_cache
from itertools import pairwise

LARGE = 100_000
"""Characters from which an analysed text is too big to keep many of."""

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_CJK}]|\d+(?:[.,:]\d+)*|[^\W\d_{_CJK}]+(?:['’][^\W\d_{_CJK}]+)?|[^\W_{_CJK}]+")
_IS_CJK = re.compile(f"[{_CJK}]")
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'”’)\]]{0,3}\s+|(?<=[。！？])|\n+")
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")


def word_set(text: str) -> frozenset[str]:
    """Return the words of a list written as a text."""
    return frozenset(text.split())


FUNCTION_WORDS = word_set("""a about above after again against all also am an and any are as at be because been before being below between
    both but by can could did do does doing down during each few for from further had has have having he her here hers
    him his how i if in into is it its itself just me more most my no nor not now of off on once only or other our out
    over own same she should so some such than that the their them then there these they this those through to too
    under until up us very was we were what when where which while who whom why will with would you your 的 了 是 在 和
    也 就 都 而 及 与 着 或 一 我 你 他 她 它 们 这 那 有 不 吗 呢 吧""")


class Text:
    """One text, read lazily; a property is computed the first time it is asked for."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._shared: tuple[Text, tuple[Fragment, ...]] | None = None

    @cached_property
    def spans(self) -> tuple[tuple[str, int], ...]:
        """Return the words as written, each with the number of its sentence, in order."""
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
        """Return the sentences and lines that hold at least one word or sign."""
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
        """Return how often each content word (stemmed; a pair of CJK characters) occurs."""
        return Counter(content_words(self.words))

    @cached_property
    def names(self) -> frozenset[str]:
        """Return the lower-case words that are numbers or have a capital inside a sentence."""
        names, last = set(), -1
        for word, number in self.spans:
            opens, last = number != last, number
            if word[0].isdigit() or (not opens and word[0].isupper() and word.lower() not in FUNCTION_WORDS):
                names.add(word.lower())
        return frozenset(names)

    @cached_property
    def bigrams(self) -> frozenset[tuple[str, str]]:
        """Return the pairs of neighbouring words."""
        return frozenset(pairwise(self.words))

    @cached_property
    def material(self) -> Text:
        """Return what an instruction is about: all after a short first paragraph, else the whole text."""
        head, *rest = _BLANK_LINE.split(self.text, maxsplit=1)
        tail = rest[0] if rest else ""
        return read_text(tail) if len(tail) > len(head) and len(head) <= 400 else self

    @cached_property
    def instruction(self) -> Text:
        """Return the short first paragraph that says what to do with the material, else the whole text."""
        return self if self.material is self else read_text(_BLANK_LINE.split(self.text, maxsplit=1)[0])

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Return the different lower-case words."""
        return frozenset(self.words)

    @cached_property
    def sentence_content(self) -> tuple[frozenset[str], ...]:
        """Return the content words of each sentence that has words."""
        return tuple(frozenset(content_words(words)) for words in self.sentence_words)

    @cached_property
    def sentence_index(self) -> dict[str, list[int]]:
        """Return the sentences in which each content word stands: its first 64, which bounds the work."""
        index: dict[str, list[int]] = {}
        for place, words in enumerate(self.sentence_content):
            for word in words:
                known = index.setdefault(word, [])
                if len(known) < 64:
                    known.append(place)
        return index

    @cached_property
    def positions(self) -> dict[tuple[str, str], list[int]]:
        """Return where each pair of neighbouring words stands: its first eight places, which bounds the work."""
        places: dict[tuple[str, str], list[int]] = {}
        for place, pair in enumerate(pairwise(self.words)):
            known = places.setdefault(pair, [])
            if len(known) < 8:
                known.append(place)
        return places

    def shared_with(self, prompt: Text) -> tuple[Fragment, ...]:
        """Return the runs of words shared with the prompt's material; those with the latest prompt are kept."""
        if self._shared is None or self._shared[0] is not prompt.material:
            self._shared = (prompt.material, shared_fragments(prompt.material, self))
        return self._shared[1]


def stem(word: str) -> str:
    """Return the word without its commonest English endings; crude, but the same for the prompt and the candidate."""
    word = word.removesuffix("'s").removesuffix("’s")
    for ending in ("ing", "ed", "es", "ly", "s", "e"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def is_cjk(word: str) -> bool:
    """Return whether the word opens with a Chinese or Japanese character."""
    return bool(_IS_CJK.match(word))


def content_words(words: Sequence[str]) -> list[str]:
    """Return the stems of the words that carry meaning, and the pairs of neighbouring CJK characters."""
    found = [
        stem(word)
        for word in words
        if word not in FUNCTION_WORDS and not is_cjk(word) and (len(word) > 2 or word[0].isdigit())
    ]
    found.extend(a + b for a, b in pairwise(words) if is_cjk(a) and is_cjk(b))
    return found


class Fragment:
    """A run of words that the candidate shares with the prompt's material."""

    __slots__ = ("length", "source", "start")

    def __init__(self, start: int, source: int, length: int) -> None:
        self.start = start
        self.source = source
        self.length = length


def shared_fragments(material: Text, candidate: Text) -> tuple[Fragment, ...]:
    """Return the runs of two words or more that the candidate shares with the material, greedily from the left.

    After the extractive fragments of Grusky et al. 2018 (Newsroom), with at most eight places looked at for a run.
    """
    words, source, places = candidate.words, material.words, material.positions
    found, at = [], 0
    while at < len(words) - 1:
        best = Fragment(at, 0, 0)
        for place in places.get((words[at], words[at + 1]), ()):
            length = 2
            limit = min(len(words) - at, len(source) - place)
            while length < limit and words[at + length] == source[place + length]:
                length += 1
            if length > best.length:
                best = Fragment(at, place, length)
        if best.length:
            found.append(best)
        at += max(1, best.length)
    return tuple(found)


_keep_small = lru_cache(maxsize=1024)(Text)
_keep_large = lru_cache(maxsize=4)(Text)


def read_text(text: str) -> Text:
    """Return the analysed text; many small ones are kept, and few large ones, so that memory stays bounded."""
    return (_keep_small if len(text) <= LARGE else _keep_large)(text)
