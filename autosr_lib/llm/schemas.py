"""JSON schemas of the replies, one per role.

Endpoints that support structured output enforce them. Replies are validated in `replies/` in any case.
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
"""Types of criteria that a model may choose from."""
MAX_PROPOSED = 3
"""Maximum number of criteria in a proposal."""

Schema = Mapping[str, Any]


def _object(**properties: Any) -> dict[str, Any]:
    # Strict structured output requires that all properties are required and no others are allowed.
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
    """Return the schema of a proposal; `labels` are those of the parent's criteria, which it may replace.

    >>> proposer_schema(("R1", "R2"))["properties"]["replaces"]["items"]["enum"]
    ['R1', 'R2']
    """
    return _object(
        analysis=_STRING,
        criteria={"type": "array", "items": _CRITERION, "minItems": 1, "maxItems": MAX_PROPOSED},
        replaces={"type": "array", "items": {"type": "string", "enum": list(labels)}},
    )


@lru_cache(maxsize=256)
def verifier_schema(labels: tuple[str, ...], scale: Scale, allow_not_applicable: bool) -> Schema:
    """Return the schema of a reply with one grade per label, within the bounds of the scale.

    >>> verifier_schema(("C1",), Scale.BINARY, False)["$defs"]["graded"]["properties"]["grade"]
    {'type': 'integer', 'enum': [0, 1]}
    """
    if scale is Scale.BINARY:
        grade: dict[str, Any] = {"type": "integer", "enum": [0, 1]}
    else:
        grade = {"type": "number", "minimum": 0, "maximum": scale_max(scale)}
    if allow_not_applicable:
        grade = {"anyOf": [grade, {"type": "null"}]}
    # The reason comes first, so that the model writes it before the grade that follows from it.
    graded = _object(reason=_STRING, grade=grade)
    return {**_object(**{label: {"$ref": "#/$defs/graded"} for label in labels}), "$defs": {"graded": graded}}


def scale_max(scale: Scale) -> int:
    """Return the highest grade of the scale; 5 for `auto`, which is decided once the complete reply has been read.

    >>> scale_max(Scale.FIVE), scale_max(Scale.BINARY)
    (5, 1)
    """
    return 1 if scale in (Scale.UNIT, Scale.BINARY) else 5
