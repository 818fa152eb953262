"""JSON schemas of the replies, named after their roles.

They are a help to endpoints that obey them; what comes back is read as strictly in `replies.py` whatever was asked.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from autosr_lib.evaluation.settings import Scale

CRITERION_TYPES = (
    "correctness",
    "completeness",
    "instruction",
    "reasoning",
    "depth",
    "usefulness",
    "style",
    "safety",
)
MAX_PROPOSED = 3

Schema = Mapping[str, Any]


def _object(**properties: Any) -> dict[str, Any]:
    # Strict structured output wants every property required and no others.
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_STRING = {"type": "string"}
_CRITERION = _object(
    text=_STRING,
    type={"type": "string", "enum": list(CRITERION_TYPES)},
    weight={"type": "number", "minimum": 0, "maximum": 10},
    check_points={"type": "array", "items": _STRING},
)

INITIALIZER_SCHEMA: Schema = _object(analysis=_STRING, criteria={"type": "array", "items": _CRITERION, "minItems": 1})
JUDGE_SCHEMA: Schema = _object(reason=_STRING, verdict={"type": "string", "enum": ["A", "B", "tie"]})


@lru_cache(maxsize=256)
def proposer_schema(labels: tuple[str, ...]) -> Schema:
    """Return the schema of a proposal that may replace the criteria with these labels."""
    return _object(
        analysis=_STRING,
        criteria={"type": "array", "items": _CRITERION, "minItems": 1, "maxItems": MAX_PROPOSED},
        replaces={"type": "array", "items": {"type": "string", "enum": list(labels)}},
    )


@lru_cache(maxsize=256)
def verifier_schema(labels: tuple[str, ...], scale: Scale, allow_not_applicable: bool) -> Schema:
    """Return the schema of a reply that grades the criteria with these labels, with the bounds of the scale."""
    if scale is Scale.BINARY:
        grade: dict[str, Any] = {"type": "integer", "enum": [0, 1]}
    else:
        grade = {"type": "number", "minimum": 0, "maximum": scale_max(scale)}
    if allow_not_applicable:
        grade = {"anyOf": [grade, {"type": "null"}]}
    # The reason stands first, so that it is written before the grade that follows from it.
    graded = _object(reason=_STRING, grade=grade)
    return {**_object(**{label: {"$ref": "#/$defs/graded"} for label in labels}), "$defs": {"graded": graded}}


def scale_max(scale: Scale) -> int:
    """Return the highest grade on the scale; that of `auto` is 5 until the whole reply is read."""
    return 1 if scale in (Scale.UNIT, Scale.BINARY) else 5
