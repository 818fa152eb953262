"""Which measures stand for good writing, by the kind of prompt, and how a criterion is written from one.

The lists and directions come from reasoning about what makes a summary or an answer good; no label chose them.
"""

from collections.abc import Sequence
from statistics import median

from autosr_lib.domain.rubric import Criterion
from autosr_lib.evaluation.measure_texts import read_text
from autosr_lib.evaluation.measures import MEASURES, ArgumentKind, measure, parse_measure

LONG_MATERIAL = 120
"""Words of material from which a prompt asks to work on a text rather than to answer from knowledge."""

FOR_MATERIAL = (
    "prompt_coverage",
    "lead_coverage",
    "faithfulness",
    "sentence_support",
    "smoothness",
    "locality",
    "order",
    "adjacency",
    "repetition",
    "novelty",
    "variety",
    "completeness",
    "no_dangling",
    "no_doubling",
    "sentence_length",
    "length",
)
FOR_ANSWERS = (
    "length",
    "relevance",
    "completeness",
    "specificity",
    "repetition",
    "novelty",
    "boilerplate",
    "echo",
    "structure",
    "prompt_coverage",
    "no_dangling",
    "sentence_length",
    "prompt_names",
    "cohesion",
)
SOUND = frozenset(FOR_MATERIAL) | frozenset(FOR_ANSWERS) | {"grounding", "entity_consistency", "self_contained"}
"""Measures of which more is better on most prompts; the others, and all inverted ones, need a reason."""


def standard_measures(prompt_text: str) -> tuple[str, ...]:
    """Return the names that stand for good writing on this kind of prompt."""
    prompt = read_text(prompt_text)
    is_about_material = prompt.material is not prompt and len(prompt.material.words) >= LONG_MATERIAL
    return FOR_MATERIAL if is_about_material else FOR_ANSWERS


def ramped(name: str, values: Sequence[float]) -> str:
    """Return the measure with a ramp from the lowest to the highest of the raw values, so that they fill 0..1.

    Measures whose values hardly differ, and those that are no ramps, are returned as they are.
    """
    if MEASURES[name].kind is not ArgumentKind.RAMP or not values:
        return name
    low, high = round(min(values), 3), round(max(values), 3)
    return f"{name}({low:g}, {high:g})" if high - low >= 0.01 and (low, high) != (0, 1) else name


def fitted_spec(name: str, prompt_text: str, candidate_texts: Sequence[str]) -> str:
    """Return the measure fitted to the unlabelled candidates: its ramp, or a band around their median."""
    if name == "length_band" and candidate_texts:
        middle = max(1.0, median(len(read_text(text).words) for text in candidate_texts))
        return f"length_band({0.7 * middle:.3g}, {1.4 * middle:.3g})"
    return ramped(name, [measure(name, prompt_text, text) for text in candidate_texts])


def measured_criterion(spec: str) -> Criterion:
    """Return a criterion of weight 1 that the measure `spec` grades, with a text that a person can read."""
    asked = parse_measure(spec)
    identity = ("not_" if asked.inverted else "") + asked.name
    text = f"Not so: {asked.description}" if asked.inverted else asked.description
    if asked.words:
        text += f" Asked for: {', '.join(asked.words)}."
    elif asked.numbers:
        text += f" Graded by {asked}."
    return Criterion(criterion_id=identity, text=text, criterion_type="measured", measure=str(asked))
