"""Measures by name: values for a criterion's `measure`, which is then graded without a model.

A measure is written as `name` or `name(argument, argument)`. `not ` before it inverts the grade to 1 - x. Examples:
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

MAX_WORDS = 50
"""Maximum number of words or phrases that a measure takes."""


class ArgumentKind(StrEnum):
    """The arguments that a measure takes, in words."""

    RAMP = "no arguments, or low and high with 0 <= low < high <= 1: the raw values that become 0 and 1"
    BAND = "no arguments, or two numbers with 0 < least <= most"
    COUNT = "one number >= 1"
    WORDS = f"one to {MAX_WORDS} words or phrases without brackets or commas"


@dataclass(frozen=True)
class CatalogueEntry:
    """A measure of the catalogue."""

    name: str
    description: str
    """A sentence that is true of a candidate graded 1; the text of the heuristic criterion."""
    kind: ArgumentKind


BAND_DEFAULTS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"length_band": (30.0, 250.0), "sentence_length": (10.0, 28.0)}
)
_OTHERS = (
    CatalogueEntry(
        "length_band", "Its length in words lies in the band, falling off smoothly outside.", ArgumentKind.BAND
    ),
    CatalogueEntry(
        "sentence_length", "Its mean sentence length in words lies in the band, falling off outside.", ArgumentKind.BAND
    ),
    CatalogueEntry("max_words", "It has at most that many words, falling off smoothly above.", ArgumentKind.COUNT),
    CatalogueEntry("min_words", "It has at least that many words, falling off smoothly below.", ArgumentKind.COUNT),
    CatalogueEntry(
        "contains", "It contains every one of the words or phrases, whatever their case; else 0.", ArgumentKind.WORDS
    ),
    CatalogueEntry(
        "mentions",
        "It mentions the words or phrases, whatever their case or ending: the share of them.",
        ArgumentKind.WORDS,
    ),
)
MEASURES: Mapping[str, CatalogueEntry] = MappingProxyType(
    {
        name: CatalogueEntry(name, (function.__doc__ or "").strip(), ArgumentKind.RAMP)
        for name, function in {**SOURCE, **FORM}.items()
    }
    | {entry.name: entry for entry in _OTHERS}
)
"""All measures by name. The description of a ramp is the docstring of its function."""

_SPEC = re.compile(r"(?P<name>[a-z_]+)\s*(?:\((?P<args>[^()]*)\))?")


@dataclass(frozen=True)
class Measure:
    """A measure with its arguments: a function of a prompt's and a candidate's text."""

    name: str
    inverted: bool = False
    numbers: tuple[float, ...] = ()
    """Arguments of a ramp, band or count; empty for the defaults."""
    words: tuple[str, ...] = ()
    """Arguments of `contains` and `mentions`, in lower case."""

    def __call__(self, prompt_text: str, candidate_text: str) -> float:
        """Return the grade in 0..1, in time linear in the length of the texts."""
        value = min(1.0, max(0.0, self._value(read_text(prompt_text), read_text(candidate_text))))
        return 1 - value if self.inverted else value

    def __str__(self) -> str:
        arguments = ", ".join([*(f"{number:g}" for number in self.numbers), *self.words])
        return ("not " if self.inverted else "") + self.name + (f"({arguments})" if arguments else "")

    @property
    def description(self) -> str:
        """Return the description from the catalogue."""
        return MEASURES[self.name].description

    def _value(self, prompt: Text, candidate: Text) -> float:
        kind = MEASURES[self.name].kind
        if kind is ArgumentKind.RAMP:
            raw = SOURCE[self.name](prompt, candidate) if self.name in SOURCE else FORM[self.name](candidate)
            low, high = self.numbers or (0.0, 1.0)
            return (raw - low) / (high - low)
        if kind is ArgumentKind.WORDS:
            return _share_of_words(self, candidate)
        word_count = float(len(candidate.words))
        if kind is ArgumentKind.COUNT:
            limit = self.numbers[0]
            low, high = (1.0, limit) if self.name == "max_words" else (limit, math.inf)
            return _in_band(word_count, low, high)
        size = share(word_count, len(candidate.sentence_words), 0.0) if self.name == "sentence_length" else word_count
        return _in_band(size, *(self.numbers or BAND_DEFAULTS[self.name]))


def measure(spec: str, prompt_text: str, candidate_text: str) -> float:
    """Return the grade in 0..1 that the measure `spec` gives the candidate.

    Raises:
        SettingsError: `spec` is not a valid measure.

    >>> measure("max_words(2)", "Name a colour.", "Red or blue.")
    0.6666666666666666
    """
    return parse_measure(spec)(prompt_text, candidate_text)


@lru_cache(maxsize=4096)
def parse_measure(spec: str) -> Measure:
    """Return the measure that `spec` describes, such as `not copying` or `length_band(40, 80)`.

    Raises:
        SettingsError: there is no such measure, or it does not take these arguments.

    >>> parse_measure("not length_band(40, 80)")
    Measure(name='length_band', inverted=True, numbers=(40.0, 80.0), words=())
    """
    stripped = spec.strip()
    inverted = stripped.startswith("not ")
    match = _SPEC.fullmatch(stripped.removeprefix("not ").strip())
    if match is None or match["name"] not in MEASURES:
        raise SettingsError(
            f"measure {spec!r} is unknown; write `name`, `name(argument, …)` or `not name`, with one of "
            + ", ".join(sorted(MEASURES))
        )
    entry = MEASURES[match["name"]]
    arguments = [argument.strip() for argument in match["args"].split(",")] if (match["args"] or "").strip() else []
    if entry.kind is ArgumentKind.WORDS:
        if not 1 <= len(arguments) <= MAX_WORDS or not all(arguments):
            raise _wrong_arguments(spec, entry)
        return Measure(entry.name, inverted, words=tuple(argument.lower() for argument in arguments))
    numbers = tuple(_number(argument, spec, entry) for argument in arguments)
    if not _are_valid(entry.kind, numbers):
        raise _wrong_arguments(spec, entry)
    return Measure(entry.name, inverted, numbers)


def _number(argument: str, spec: str, entry: CatalogueEntry) -> float:
    try:
        number = float(argument)
    except ValueError:
        raise _wrong_arguments(spec, entry) from None
    if not math.isfinite(number):
        raise _wrong_arguments(spec, entry)
    return number


def _are_valid(kind: ArgumentKind, numbers: tuple[float, ...]) -> bool:
    if kind is ArgumentKind.COUNT:
        return len(numbers) == 1 and numbers[0] >= 1
    if not numbers:
        return True
    if len(numbers) != 2:
        return False
    low, high = numbers
    return 0 < low <= high if kind is ArgumentKind.BAND else 0 <= low < high <= 1


def _wrong_arguments(spec: str, entry: CatalogueEntry) -> SettingsError:
    return SettingsError(f"measure {spec!r}: {entry.name} takes {entry.kind.value}")


def _in_band(size: float, low: float, high: float) -> float:
    """Return 1 inside the band, falling in proportion outside of it."""
    if size < low:
        return size / low
    return high / size if size > high else 1.0


def _share_of_words(measure: Measure, candidate: Text) -> float:
    """Return the share of the measure's words that the candidate has; for `contains`, 1 only if it has all."""
    if measure.name == "contains":
        text = candidate.text.lower()
        return float(all(word in text for word in measure.words))
    mentioned = 0
    for word in measure.words:
        stems = content_words(read_text(word).words)
        mentioned += all(part in candidate.content for part in stems) if stems else word in candidate.text.lower()
    return mentioned / len(measure.words)
