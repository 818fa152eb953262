"""Reader of the verifier's reply."""

import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from autosr_lib.evaluation.roles import Grade
from autosr_lib.evaluation.settings import GradingSettings, Scale
from autosr_lib.llm.fences import clean_text
from autosr_lib.llm.replies.json_text import json_values, truncated_members
from autosr_lib.llm.replies.parsing import (
    BadReplyError,
    ParsedReply,
    StrictReply,
    first_fault,
    join_faults,
    parse_label,
)
from autosr_lib.llm.schemas import scale_max

MAX_REASON_CHARACTERS = 1000
"""Maximum length of a stored reason."""


class GradeReply(StrictReply):
    """A grade as a model writes it; null stands for "not applicable" if the settings allow it."""

    grade: Annotated[float, Field(allow_inf_nan=False)] | None
    reason: str = ""


def read_grades(text: str, labels: Mapping[str, str], grading: GradingSettings) -> ParsedReply[dict[str, Grade]]:
    """Return the grades in a verifier's reply by criterion key, on the unit scale.

    A criterion without a grade, with two grades or with an invalid grade is left out of the result.

    Args:
        text: the reply.
        labels: criterion keys by the labels that the model has seen.
        grading: scale of the grades, and whether null is allowed.

    Raises:
        BadReplyError: no criterion has a valid grade.

    >>> read_grades('{"C1": {"reason": "clear", "grade": 4}}', {"C1": "k1", "C2": "k2"}, GradingSettings())
    ParsedReply(value={'k1': Grade(value=0.8, reason='clear')}, fault='C2 has no grade')
    """
    maximum = scale_max(grading.scale)
    graded: dict[str, GradeReply] = {}
    faults: dict[str, str] = {}
    for label, item in _labelled_items(text, labels):
        if label in graded or label in faults:
            graded.pop(label, None)
            faults[label] = f"{label} is graded more than once"
            continue
        try:
            reply = GradeReply.model_validate(item if isinstance(item, dict) else {"grade": item})
        except ValidationError as error:
            faults[label] = f"{label}: {first_fault(error)}"
            continue
        if fault := _grade_fault(reply.grade, grading, maximum):
            faults[label] = f"{label}: {fault}"
        else:
            graded[label] = reply
    faults |= {label: f"{label} has no grade" for label in labels if label not in graded and label not in faults}
    if not graded:
        raise BadReplyError(join_faults(list(faults.values())) or "no criterion is graded", text)
    if grading.scale is Scale.AUTO and all(reply.grade is None or reply.grade <= 1 for reply in graded.values()):
        maximum = 1
    grades = {labels[label]: _unit_grade(reply, maximum) for label, reply in graded.items()}
    return ParsedReply(grades, join_faults(list(faults.values())))


def _labelled_items(text: str, labels: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield each requested label with its item, from the last JSON value that contains any requested label."""
    for value in [*reversed(json_values(text)), truncated_members(text)]:
        inner = value.get("grades", value) if isinstance(value, dict) else value
        if isinstance(inner, dict):
            pairs = [(parse_label(name, "C"), item) for name, item in inner.items()]
        elif isinstance(inner, list):
            items = [item for item in inner if isinstance(item, dict)]
            pairs = [(parse_label(item.get("criterion", item.get("label")), "C"), item) for item in items]
        else:
            continue
        if requested := [(label, item) for label, item in pairs if label in labels]:
            yield from requested
            return


def _grade_fault(grade: float | None, grading: GradingSettings, maximum: int) -> str | None:
    if grade is None:
        return None if grading.allow_not_applicable else "the grade is null"
    if not math.isfinite(grade) or not 0 <= grade <= maximum:
        return f"the grade {grade:g} is outside 0 to {maximum}"
    if grading.scale is Scale.BINARY and grade not in (0, 1):
        return f"the grade {grade:g} is neither 0 nor 1"
    return None


def _unit_grade(reply: GradeReply, maximum: int) -> Grade:
    reason = clean_text(reply.reason)[:MAX_REASON_CHARACTERS]
    return Grade(None if reply.grade is None else reply.grade / maximum, reason)
