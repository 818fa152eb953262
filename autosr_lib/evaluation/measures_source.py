"""Measures of how a candidate relates to its prompt: coverage, faithfulness, copying, mixed-up facts.

Each is a function of (prompt, candidate) with values in 0..1. Its docstring says when the value is 1. The docstring is
also the text of the criterion that heuristics write from the measure, so a change to it changes results. "The material"
is the text that the prompt asks about (`Text.material`).
"""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate, pairwise
from types import MappingProxyType

from autosr_lib.evaluation.measure_texts import Fragment, Text

KEYWORDS = 25
"""Number of most frequent content words of the material that `prompt_coverage` looks for."""
LEAD_SENTENCES = 3
"""Number of opening sentences of the material that `lead_coverage` looks at."""
MIN_COPIED_RUN = 8
"""Minimum number of words in a row that count as copied from the prompt."""
MAX_SKIPPED_WORDS = 15
"""Maximum number of words of the material between two phrases of one passage."""


def share(part: float, total: float, empty: float = 1.0) -> float:
    """Return `part / total`, or `empty` if the total is 0.

    >>> share(1, 4), share(0, 0)
    (0.25, 1.0)
    """
    return part / total if total else empty


def prompt_coverage(prompt: Text, candidate: Text) -> float:
    """It mentions the words that the prompt's material repeats most."""
    top = prompt.material.content.most_common(KEYWORDS)
    mentioned = sum(math.log1p(count) for word, count in top if word in candidate.content)
    return share(mentioned, sum(math.log1p(count) for _, count in top), 0.0)


def lead_coverage(prompt: Text, candidate: Text) -> float:
    """It mentions what the first three sentences of the material are about."""
    lead = frozenset[str]().union(*prompt.material.sentence_content[:LEAD_SENTENCES])
    return share(sum(word in candidate.content for word in lead), len(lead), 0.0)


def centrality(prompt: Text, candidate: Text) -> float:
    """Its own words are ones that the material repeats."""
    counts = prompt.material.content
    return share(sum(counts[word] / (counts[word] + 2) for word in candidate.content), len(candidate.content), 0.0)


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
    copied = sum(run.length for run in candidate.shared_with(prompt) if run.length >= MIN_COPIED_RUN)
    return share(copied, len(candidate.words), 0.0)


def verbatim_sentences(prompt: Text, candidate: Text) -> float:
    """Each of its sentences stands in the material (nine words in ten in one run)."""
    sizes = [len(words) for words in candidate.sentence_words]
    longest, first = [0] * len(sizes), 0
    ends = list(accumulate(sizes))
    for run in candidate.shared_with(prompt):
        while run.start >= ends[first]:
            first += 1
        for sentence in range(first, len(sizes)):  # a run may extend over several sentences
            start, end = ends[sentence] - sizes[sentence], ends[sentence]
            if start >= run.start + run.length:
                break
            longest[sentence] = max(longest[sentence], min(end, run.start + run.length) - max(start, run.start))
    verbatim = sum(length >= 0.9 * size for length, size in zip(longest, sizes, strict=True))
    return share(verbatim, len(sizes), 0.0)


def smoothness(prompt: Text, candidate: Text) -> float:
    """It is not patched together from many short phrases of the material."""
    return 1 - min(1.0, share(3 * len(candidate.shared_with(prompt)), len(candidate.words), 0.0))


def locality(prompt: Text, candidate: Text) -> float:
    """No sentence joins phrases from distant passages of the material, which mixes up who did what."""
    jumps = sum(
        not -5 <= later.source - (run.source + run.length) <= MAX_SKIPPED_WORDS
        for runs in _runs_by_sentence(prompt, candidate)
        for run, later in pairwise(runs)
    )
    return 1 - min(1.0, share(2 * jumps, len(candidate.sentence_words), 0.0))


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
    shares = [shared / size for shared, _, size in _closest_sentences(prompt, candidate)]
    return share(sum(shares), len(shares), 0.0)


def adjacency(prompt: Text, candidate: Text) -> float:
    """Sentences that follow each other draw on neighbouring sentences of the material."""
    closest = [number for _, number, _ in _closest_sentences(prompt, candidate)]
    closeness = [1 / (1 + max(0, abs(later - number) - 1)) for number, later in pairwise(closest)]
    return share(sum(closeness), len(closeness))


def entity_consistency(prompt: Text, candidate: Text) -> float:
    """All names and numbers in it occur in the prompt."""
    return share(len(candidate.names & prompt.vocabulary), len(candidate.names))


def prompt_names(prompt: Text, candidate: Text) -> float:
    """Each of its sentences has a name or a number of the prompt."""
    named = sum(any(word in prompt.names for word in words) for words in candidate.sentence_words)
    return share(named, len(candidate.sentence_words), 0.0)


def echo(prompt: Text, candidate: Text) -> float:
    """It does not repeat the instruction's own phrases back."""
    instruction_phrases = set(_four_word_phrases(prompt.instruction))
    phrases = _four_word_phrases(candidate)
    return 1 - share(sum(phrase in instruction_phrases for phrase in phrases), len(phrases), 0.0)


def relevance(prompt: Text, candidate: Text) -> float:
    """It takes up the content words of the instruction."""
    content = prompt.instruction.content
    return share(sum(word in candidate.content for word in content), len(content), 0.0)


def _four_word_phrases(text: Text) -> list[tuple[str, str, str, str]]:
    words = text.words
    return list(zip(words, words[1:], words[2:], words[3:], strict=False))


def _runs_by_sentence(prompt: Text, candidate: Text) -> list[list[Fragment]]:
    """Return for each sentence of the candidate the runs of words from the material that start in it."""
    ends = list(accumulate(len(words) for words in candidate.sentence_words))
    groups: list[list[Fragment]] = [[] for _ in ends]
    sentence = 0
    for run in candidate.shared_with(prompt):
        while run.start >= ends[sentence]:
            sentence += 1
        groups[sentence].append(run)
    return groups


def _closest_sentences(prompt: Text, candidate: Text) -> Iterator[tuple[int, int, int]]:
    """Yield for each sentence of the candidate its closest sentence of the material, the one sharing most content words.

    The values are the number of shared words, the number of the closest sentence, and the words of the candidate's.
    """
    index = prompt.material.sentence_index
    for words in candidate.sentence_content:
        shared: dict[int, int] = {}
        for word in words:
            for sentence in index.get(word, ()):
                shared[sentence] = shared.get(sentence, 0) + 1
        if words and prompt.material.sentence_content:
            closest = max(sorted(shared), key=lambda sentence: shared[sentence], default=0)
            yield shared.get(closest, 0), closest, len(words)


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
