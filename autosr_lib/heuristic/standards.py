"""The measures of good writing for each kind of prompt, and criteria made from measures.

The lists are based on general considerations about good summaries and answers; they were not fitted to labels.
"""

from collections.abc import Sequence
from statistics import median

from autosr_lib.domain.rubric import Criterion
from autosr_lib.evaluation.measure_texts import read_text
from autosr_lib.evaluation.measures import MEASURES, ArgumentKind, measure, parse_measure

LONG_MATERIAL = 120
"""Number of words of material from which a prompt counts as work on a text, such as a summary, instead of a question."""

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
"""Measures of which a higher value is better on most prompts; only these are used without evidence from labels."""


def standard_measures(prompt_text: str) -> tuple[str, ...]:
    """Return the names of the measures of good writing for this kind of prompt.

    >>> standard_measures("Why is the sky blue?")[:3]
    ('length', 'relevance', 'completeness')
    """
    prompt = read_text(prompt_text)
    is_about_material = prompt.material is not prompt and len(prompt.material.words) >= LONG_MATERIAL
    return FOR_MATERIAL if is_about_material else FOR_ANSWERS


def ramped(name: str, values: Sequence[float]) -> str:
    """Return the measure with a ramp from the lowest to the highest raw value, so that grades cover 0..1.

    A measure whose values hardly differ, or that does not take a ramp, is returned unchanged.

    >>> ramped("copying", [0.2, 0.5]), ramped("copying", [0.2, 0.2])
    ('copying(0.2, 0.5)', 'copying')
    """
    if MEASURES[name].kind is not ArgumentKind.RAMP or not values:
        return name
    low, high = round(min(values), 3), round(max(values), 3)
    return f"{name}({low:g}, {high:g})" if high - low >= 0.01 and (low, high) != (0, 1) else name


def fitted_spec(name: str, prompt_text: str, candidate_texts: Sequence[str]) -> str:
    """Return the measure with arguments fitted to the candidates, without labels: a ramp, or a band at their median.

    >>> fitted_spec("length_band", "Name a colour.", ["Red.", "Red or blue."])
    'length_band(1.4, 2.8)'
    """
    if name == "length_band" and candidate_texts:
        middle = max(1.0, median(len(read_text(text).words) for text in candidate_texts))
        return f"length_band({0.7 * middle:.3g}, {1.4 * middle:.3g})"
    return ramped(name, [measure(name, prompt_text, text) for text in candidate_texts])


def measured_criterion(spec: str) -> Criterion:
    """Return a criterion of weight 1 that the measure `spec` grades, with a readable text.

    >>> measured_criterion("order(0.2, 0.8)").text
    'It tells things in the order of the material. Graded by order(0.2, 0.8).'
    """
    parsed = parse_measure(spec)
    criterion_id = ("not_" if parsed.inverted else "") + parsed.name
    text = f"Not so: {parsed.description}" if parsed.inverted else parsed.description
    if parsed.words:
        text += f" Asked for: {', '.join(parsed.words)}."
    elif parsed.numbers:
        text += f" Graded by {parsed}."
    return Criterion(criterion_id=criterion_id, text=text, criterion_type="measured", measure=str(parsed))
