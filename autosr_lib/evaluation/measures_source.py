"""Measures of how a candidate stands to its prompt: what it covers, keeps to, copies and mixes up.

Each is a function of (prompt, candidate) to 0..1 whose docstring says when it is 1. "The material" is what the prompt is
about: all after a short instruction, else the whole prompt.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate, pairwise
from types import MappingProxyType

from autosr_lib.evaluation.measure_texts import Fragment, Text

KEYWORDS = 25
LEAD_SENTENCES = 3
LIFTED = 8
"""Words in a row that count as lifted from the prompt."""
NEAR = 15
"""Words of the material that a sentence may skip between two phrases and still follow one passage."""


def share(part: float, whole: float, empty: float = 1.0) -> float:
    """Return `part / whole`, or `empty` when there is nothing to share."""
    return part / whole if whole else empty


def prompt_coverage(prompt: Text, candidate: Text) -> float:
    """It mentions the words that the prompt's material repeats most."""
    top = prompt.material.content.most_common(KEYWORDS)
    said = sum(math.log1p(count) for word, count in top if word in candidate.content)
    return share(said, sum(math.log1p(count) for _, count in top), 0.0)


def lead_coverage(prompt: Text, candidate: Text) -> float:
    """It mentions what the first three sentences of the material are about."""
    lead = frozenset[str]().union(*prompt.material.sentence_content[:LEAD_SENTENCES])
    return share(sum(word in candidate.content for word in lead), len(lead), 0.0)


def centrality(prompt: Text, candidate: Text) -> float:
    """Its own words are ones that the material repeats."""
    known = prompt.material.content
    return share(sum(known[word] / (known[word] + 2) for word in candidate.content), len(candidate.content), 0.0)


def grounding(prompt: Text, candidate: Text) -> float:
    """All of its content words occur in the prompt."""
    grounded = sum(count for word, count in candidate.content.items() if word in prompt.content)
    return share(grounded, candidate.content.total())


def faithfulness(prompt: Text, candidate: Text) -> float:
    """All pairs of neighbouring words in its sentences stand so in the prompt."""
    pairs = [pair for words in candidate.sentence_words for pair in pairwise(words)]
    return share(sum(pair in prompt.bigrams for pair in pairs), len(pairs))


def copying(prompt: Text, candidate: Text) -> float:
    """All of it is lifted from the material in runs of eight words or more; 0 when nothing is."""
    lifted = sum(run.length for run in candidate.shared_with(prompt) if run.length >= LIFTED)
    return share(lifted, len(candidate.words), 0.0)


def verbatim_sentences(prompt: Text, candidate: Text) -> float:
    """Each of its sentences stands in the material (nine words in ten in one run)."""
    sizes = [len(words) for words in candidate.sentence_words]
    longest, at = [0] * len(sizes), 0
    ends = list(accumulate(sizes))
    for run in candidate.shared_with(prompt):
        while run.start >= ends[at]:
            at += 1
        for number in range(at, len(sizes)):  # a run may go on over several sentences, which the next one cannot
            begin, end = ends[number] - sizes[number], ends[number]
            if begin >= run.start + run.length:
                break
            longest[number] = max(longest[number], min(end, run.start + run.length) - max(begin, run.start))
    whole = sum(length >= 0.9 * size for length, size in zip(longest, sizes, strict=True))
    return share(whole, len(sizes), 0.0)


def smoothness(prompt: Text, candidate: Text) -> float:
    """It is not patched together from many short phrases of the material."""
    return 1 - min(1.0, share(3 * len(candidate.shared_with(prompt)), len(candidate.words), 0.0))


def locality(prompt: Text, candidate: Text) -> float:
    """No sentence joins phrases from distant passages of the material, which mixes up who did what."""
    leaps = sum(
        not -5 <= later.source - (run.source + run.length) <= NEAR
        for runs in _runs_by_sentence(prompt, candidate)
        for run, later in pairwise(runs)
    )
    return 1 - min(1.0, share(2 * leaps, len(candidate.sentence_words), 0.0))


def order(prompt: Text, candidate: Text) -> float:
    """It tells things in the order of the material."""
    runs = [run for run in candidate.shared_with(prompt) if run.length >= 3]
    return share(sum(later.source > run.source for run, later in pairwise(runs)), len(runs) - 1) if runs else 1.0


def lead_first(prompt: Text, candidate: Text) -> float:
    """What it takes from the material comes from its beginning."""
    runs = [run for run in candidate.shared_with(prompt) if run.length >= 3]
    taken = sum(run.length for run in runs)
    depth = sum(run.length * run.source for run in runs) / max(1, len(prompt.material.words))
    return 1 - share(depth, taken, 1.0)


def sentence_support(prompt: Text, candidate: Text) -> float:
    """Each of its sentences is borne out by a single sentence of the material."""
    found = [best / size for best, _, size in _sources(prompt, candidate)]
    return share(sum(found), len(found), 0.0)


def adjacency(prompt: Text, candidate: Text) -> float:
    """Sentences that follow each other draw on neighbouring sentences of the material."""
    places = [place for _, place, _ in _sources(prompt, candidate)]
    near = [1 / (1 + max(0, abs(later - place) - 1)) for place, later in pairwise(places)]
    return share(sum(near), len(near))


def entity_consistency(prompt: Text, candidate: Text) -> float:
    """All names and numbers in it occur in the prompt."""
    return share(len(candidate.names & prompt.vocabulary), len(candidate.names))


def prompt_names(prompt: Text, candidate: Text) -> float:
    """Each of its sentences has a name or a number of the prompt."""
    named = sum(any(word in prompt.names for word in words) for words in candidate.sentence_words)
    return share(named, len(candidate.sentence_words), 0.0)


def echo(prompt: Text, candidate: Text) -> float:
    """It does not repeat the instruction's own phrases back."""
    asked, said = prompt.instruction.words, candidate.words
    phrases = set(zip(asked, asked[1:], asked[2:], asked[3:], strict=False))
    own = list(zip(said, said[1:], said[2:], said[3:], strict=False))
    return 1 - share(sum(phrase in phrases for phrase in own), len(own), 0.0)


def relevance(prompt: Text, candidate: Text) -> float:
    """It takes up the content words of the instruction."""
    asked = prompt.instruction.content
    return share(sum(word in candidate.content for word in asked), len(asked), 0.0)


def _runs_by_sentence(prompt: Text, candidate: Text) -> list[list[Fragment]]:
    ends, at = [], 0
    for words in candidate.sentence_words:
        at += len(words)
        ends.append(at)
    groups: list[list[Fragment]] = [[] for _ in ends]
    sentence = 0
    for run in candidate.shared_with(prompt):
        while run.start >= ends[sentence]:
            sentence += 1
        groups[sentence].append(run)
    return groups


def _sources(prompt: Text, candidate: Text) -> Iterator[tuple[int, int, int]]:
    """Yield for each sentence the words that its closest sentence of the material shares, that one's place, its size."""
    index = prompt.material.sentence_index
    for words in candidate.sentence_content:
        hits: dict[int, int] = {}
        for word in words:
            for place in index.get(word, ()):
                hits[place] = hits.get(place, 0) + 1
        if words and prompt.material.sentence_content:
            place = max(sorted(hits), key=lambda at: hits[at], default=0)
            yield hits.get(place, 0), place, len(words)


SOURCE: Mapping[str, Callable[[Text, Text], float]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            prompt_coverage,
            lead_coverage,
            centrality,
            grounding,
            faithfulness,
            copying,
            verbatim_sentences,
            smoothness,
            locality,
            order,
            lead_first,
            sentence_support,
            adjacency,
            entity_consistency,
            prompt_names,
            echo,
            relevance,
        )
    }
)
"""The measures of this module by name."""
