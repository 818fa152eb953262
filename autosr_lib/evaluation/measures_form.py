"""Measures of how a candidate is written, independent of the prompt: length, cohesion, correct form, filler.

Each is a function of the candidate with values in 0..1. Its docstring says when the value is 1. The docstring is also
the text of the criterion that heuristics write from the measure, so a change to it changes results.
"""

import re
import zlib
from collections.abc import Callable, Mapping
from itertools import pairwise
from types import MappingProxyType

from autosr_lib.evaluation.measure_texts import FUNCTION_WORDS, Text, word_set
from autosr_lib.evaluation.measures_source import share

POINTING = word_set("he she it they his her its their this that these those 他 她 它 这 那")
LOOSE_OPENINGS = POINTING | word_set("and but or so because however 但 而")
HANGING = word_set("""the a an of to and or in on at with for by from his her their its that as was is were are be has have had the
    的 和 与 在 把 被""")
SPEAKER = word_set("i me my mine myself we us our you your 我 你 您")
FILLER = re.compile(
    r"""click\ here|scroll\ down|read\ more|sign\ up|subscribe|all\ rights\ reserved|for\ more\ information|
    for\ confidential|as\ an\ ai|as\ a\ language\ model|i\ hope\ (?:this|that)\ helps|feel\ free\ to|great\ question|
    in\ conclusion|it\ is\ important\ to\ note|it\ is\ worth\ noting|needless\ to\ say|first\ and\ foremost|
    at\ the\ end\ of\ the\ day|when\ it\ comes\ to|\bcertainly!|\bsure[!,]|of\ course!|i'?m\ sorry|i\ can(?:no|')t\b|
    希望(?:这|以上|对)|总而言之|综上所述|众所周知|值得注意的是|需要注意的是|作为一个?(?:人工智能|ai)|很抱歉|当然可以""",
    re.IGNORECASE | re.VERBOSE,
)
_LIST_ITEM = re.compile(r"(?m)^[ \t]*(?:[-*•#]|\d+[.)、])")
_QUOTED = re.compile(r"[\"“”«»「」『』]")
_FINISHED = re.compile(r"[.!?。！？…\"'”’)\]`」』}*|;:]\s*\Z")


def length(candidate: Text) -> float:
    """It is long: words / (words + 60)."""
    return len(candidate.words) / (len(candidate.words) + 60)


def shortest_sentence(candidate: Text) -> float:
    """Even its shortest sentence is long: words / (words + 10)."""
    fewest = min(map(len, candidate.sentence_words), default=0)
    return fewest / (fewest + 10)


def longest_sentence(candidate: Text) -> float:
    """Its longest sentence is long: words / (words + 30)."""
    most = max(map(len, candidate.sentence_words), default=0)
    return most / (most + 30)


def repetition(candidate: Text) -> float:
    """No three words in a row occur twice."""
    words = candidate.words
    triples = list(zip(words, words[1:], words[2:], strict=False))
    return share(len(set(triples)), len(triples))


def variety(candidate: Text) -> float:
    """No content word occurs twice."""
    return share(len(candidate.content), candidate.content.total())


def novelty(candidate: Text) -> float:
    """Each sentence says something that the ones before it have not."""
    seen: set[str] = set()
    new_shares = []
    for words in candidate.sentence_content:
        if seen and words:
            new_shares.append(len(words - seen) / len(words))
        seen |= words
    return share(sum(new_shares), len(new_shares))


def cohesion(candidate: Text) -> float:
    """Each sentence takes up a word of the one before, or points back to it."""
    content, sentences = candidate.sentence_content, candidate.sentence_words
    is_linked = [
        bool(previous & current) or not POINTING.isdisjoint(words[:4])
        for previous, current, words in zip(content, content[1:], sentences[1:], strict=False)
    ]
    return share(sum(is_linked), len(is_linked))


def self_contained(candidate: Text) -> float:
    """No sentence opens with a pronoun or a conjunction."""
    loose = sum(words[0] in LOOSE_OPENINGS for words in candidate.sentence_words)
    return 1 - share(loose, len(candidate.sentence_words), 0.0)


def completeness(candidate: Text) -> float:
    """It ends like a finished text; 0 when it breaks off."""
    return float(bool(_FINISHED.search(candidate.text[-80:])))


def no_dangling(candidate: Text) -> float:
    """No sentence breaks off after a function word such as "the" or "of"."""
    hanging = sum(words[-1] in HANGING for words in candidate.sentence_words)
    return 1 - share(hanging, len(candidate.sentence_words), 0.0)


def balance(candidate: Text) -> float:
    """Its brackets and quotation marks come in pairs."""
    text = candidate.text
    pairs = tuple(map(tuple, ("()", "[]", "{}", "“”", "（）", "「」", "《》")))
    unpaired = sum(abs(text.count(opening) - text.count(closing)) for opening, closing in pairs) + text.count('"') % 2
    return 1 / (1 + unpaired)


def capitals(candidate: Text) -> float:
    """Its sentences open with a capital, where the script has capitals."""
    first_letters: dict[int, str] = {}
    for word, sentence in candidate.spans:
        first_letters.setdefault(sentence, word[0])
    cased = [letter for letter in first_letters.values() if letter.lower() != letter.upper()]
    return share(sum(letter.isupper() for letter in cased), len(cased))


def no_doubling(candidate: Text) -> float:
    """No word is written twice in a row."""
    doubled = sum(word == after and len(word) > 1 and word.isalpha() for word, after in pairwise(candidate.words))
    return 1 / (1 + doubled)


def boilerplate(candidate: Text) -> float:
    """It has none of the stock phrases of web pages and assistants."""
    return 1 / (1 + sum(1 for _ in FILLER.finditer(candidate.text)))


def impersonal(candidate: Text) -> float:
    """It does not speak of itself or to the reader."""
    return 1 - min(1.0, 10 * share(sum(word in SPEAKER for word in candidate.words), len(candidate.words), 0.0))


def structure(candidate: Text) -> float:
    """It is set out in list items, headings and paragraphs: n / (n + 3)."""
    marks = sum(1 for _ in _LIST_ITEM.finditer(candidate.text)) + candidate.text.count("\n\n")
    return marks / (marks + 3)


def specificity(candidate: Text) -> float:
    """Half of its words or more are numbers, names or in quotation marks."""
    concrete = sum(word in candidate.names for word in candidate.words) + len(_QUOTED.findall(candidate.text)) // 2
    return min(1.0, 2 * share(concrete, len(candidate.words), 0.0))


def numbers(candidate: Text) -> float:
    """It gives numbers: n / (n + 2)."""
    count = sum(word[0].isdigit() for word in candidate.words)
    return count / (count + 2)


def plainness(candidate: Text) -> float:
    """Its words are short: 1 at four letters or fewer on average, 0 at eight."""
    lengths = [
        len(word) for word in candidate.words if word not in FUNCTION_WORDS and not "\u3040" <= word[0] <= "\u9fff"
    ]
    return 1 - min(1.0, max(0.0, (share(sum(lengths), len(lengths), 4.0) - 4) / 4))


def density(candidate: Text) -> float:
    """It says much in few bytes: compressed size / size, which repetition lowers."""
    data = candidate.text.encode("utf-8", "surrogatepass")
    return min(1.0, share(len(zlib.compress(data, 6)), len(data), 0.0))


FORM: Mapping[str, Callable[[Text], float]] = MappingProxyType(
    {
        function.__name__: function
        for function in (
            length,
            shortest_sentence,
            longest_sentence,
            repetition,
            variety,
            novelty,
            cohesion,
            self_contained,
            completeness,
            no_dangling,
            balance,
            capitals,
            no_doubling,
            boilerplate,
            impersonal,
            structure,
            specificity,
            numbers,
            plainness,
            density,
        )
    }
)
"""The measures of this module by name."""
