"""Measures by name: what a criterion may carry in `measure` so that it is graded without any model.

The grammar is `name`, `name(argument, argument)`, and either with `not ` before it, which turns it round (1 - x):
`faithfulness`, `faithfulness(0.4, 0.9)`, `length_band(40, 80)`, `mentions(paris, 1889)`, `not copying`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

from autosr_lib.errors import SettingsError
from autosr_lib.evaluation.measure_texts import Text, content_words, read_text
from autosr_lib.evaluation.measures_form import FORM
from autosr_lib.evaluation.measures_source import SOURCE, share

MOST_WORDS = 50


class Kind(StrEnum):
    """What a measure's arguments mean."""

    RAMP = "nothing, or low and high with 0 <= low < high <= 1: the value that becomes 0 and the one that becomes 1"
    BAND = "nothing, or two numbers with 0 < least <= most"
    COUNT = "one number >= 1"
    WORDS = f"one to {MOST_WORDS} words or phrases without brackets or commas"


@dataclass(frozen=True)
class Entry:
    """A measure of the catalogue: what it says of a candidate that it grades 1, and what its arguments mean."""

    name: str
    description: str
    kind: Kind


BAND_DEFAULTS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"length_band": (30.0, 250.0), "sentence_length": (10.0, 28.0)}
)
_OTHERS = (
    Entry("length_band", "Its length in words lies in the band, falling off smoothly outside.", Kind.BAND),
    Entry("sentence_length", "Its mean sentence length in words lies in the band, falling off outside.", Kind.BAND),
    Entry("max_words", "It has at most that many words, falling off smoothly above.", Kind.COUNT),
    Entry("min_words", "It has at least that many words, falling off smoothly below.", Kind.COUNT),
    Entry("contains", "It contains every one of the words or phrases, whatever their case; else 0.", Kind.WORDS),
    Entry(
        "mentions", "It mentions the words or phrases, whatever their case or ending: the share of them.", Kind.WORDS
    ),
)
MEASURES: Mapping[str, Entry] = MappingProxyType(
    {name: Entry(name, (function.__doc__ or "").strip(), Kind.RAMP) for name, function in {**SOURCE, **FORM}.items()}
    | {entry.name: entry for entry in _OTHERS}
)
"""Every measure by name."""

_SPEC = re.compile(r"(?P<name>[a-z_]+)\s*(?:\((?P<args>[^()]*)\))?")


@dataclass(frozen=True)
class Measure:
    """A measure with its arguments, ready to be asked; numbers for a ramp, band or count, words for the others."""

    name: str
    inverted: bool = False
    numbers: tuple[float, ...] = ()
    words: tuple[str, ...] = ()

    def __call__(self, prompt_text: str, candidate_text: str) -> float:
        """Return the grade in 0..1; a pure function of the two texts, in time linear in their length."""
        value = min(1.0, max(0.0, self._value(read_text(prompt_text), read_text(candidate_text))))
        return 1 - value if self.inverted else value

    def __str__(self) -> str:
        arguments = ", ".join([*(f"{number:g}" for number in self.numbers), *self.words])
        return ("not " if self.inverted else "") + self.name + (f"({arguments})" if arguments else "")

    @property
    def description(self) -> str:
        """Return the sentence of the catalogue."""
        return MEASURES[self.name].description

    def _value(self, prompt: Text, candidate: Text) -> float:
        kind = MEASURES[self.name].kind
        if kind is Kind.RAMP:
            raw = SOURCE[self.name](prompt, candidate) if self.name in SOURCE else FORM[self.name](candidate)
            low, high = self.numbers or (0.0, 1.0)
            return (raw - low) / (high - low)
        if kind is Kind.WORDS:
            return _words_found(self, candidate)
        words = float(len(candidate.words))
        if kind is Kind.COUNT:
            return _in_band(
                words, *((1.0, self.numbers[0]) if self.name == "max_words" else (self.numbers[0], math.inf))
            )
        size = share(words, len(candidate.sentence_words), 0.0) if self.name == "sentence_length" else words
        return _in_band(size, *(self.numbers or BAND_DEFAULTS[self.name]))


def measure(spec: str, prompt_text: str, candidate_text: str) -> float:
    """Return the grade in 0..1 that the measure `spec` gives the candidate.

    Raises:
        SettingsError: the spec cannot be read.
    """
    return parse_measure(spec)(prompt_text, candidate_text)


@lru_cache(maxsize=4096)
def parse_measure(spec: str) -> Measure:
    """Return the measure that `spec` names, such as `not copying` or `length_band(40, 80)`.

    Raises:
        SettingsError: no such measure, or arguments that it does not take.
    """
    plain = spec.strip()
    inverted = plain.startswith("not ")
    match = _SPEC.fullmatch(plain.removeprefix("not ").strip())
    if match is None or match["name"] not in MEASURES:
        raise SettingsError(
            f"measure {spec!r} is unknown; write `name`, `name(argument, …)` or `not name`, with one of "
            + ", ".join(sorted(MEASURES))
        )
    entry = MEASURES[match["name"]]
    arguments = [argument.strip() for argument in match["args"].split(",")] if (match["args"] or "").strip() else []
    if entry.kind is Kind.WORDS:
        if not 1 <= len(arguments) <= MOST_WORDS or not all(arguments):
            raise _wrong_arguments(spec, entry)
        return Measure(entry.name, inverted, words=tuple(argument.lower() for argument in arguments))
    numbers = tuple(_number(argument, spec, entry) for argument in arguments)
    if not _fits(entry.kind, numbers):
        raise _wrong_arguments(spec, entry)
    return Measure(entry.name, inverted, numbers)


def _number(argument: str, spec: str, entry: Entry) -> float:
    try:
        number = float(argument)
    except ValueError:
        raise _wrong_arguments(spec, entry) from None
    if not math.isfinite(number):
        raise _wrong_arguments(spec, entry)
    return number


def _fits(kind: Kind, numbers: tuple[float, ...]) -> bool:
    if kind is Kind.COUNT:
        return len(numbers) == 1 and numbers[0] >= 1
    if not numbers:
        return True
    if len(numbers) != 2:
        return False
    low, high = numbers
    return 0 < low <= high if kind is Kind.BAND else 0 <= low < high <= 1


def _wrong_arguments(spec: str, entry: Entry) -> SettingsError:
    return SettingsError(f"measure {spec!r}: {entry.name} takes {entry.kind.value}")


def _in_band(size: float, low: float, high: float) -> float:
    if size < low:
        return size / low
    return high / size if size > high else 1.0


def _words_found(asked: Measure, candidate: Text) -> float:
    if asked.name == "contains":
        text = candidate.text.lower()
        return float(all(word in text for word in asked.words))
    found = 0
    for word in asked.words:
        needed = content_words(read_text(word).words) or None
        found += all(part in candidate.content for part in needed) if needed else word in candidate.text.lower()
    return found / len(asked.words)
