"""The only reader of what models reply.

A reply is untrusted. What it gets right is used; what it gets wrong is named, so that it can be asked again once; what
cannot be read at all is a `ReplyError`, and no number stands in for it.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Generic, NamedTuple, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from autosr_lib.domain.preference import Verdict
from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.errors import ReplyError
from autosr_lib.evaluation.roles import Grade
from autosr_lib.evaluation.settings import GradingSettings, Scale
from autosr_lib.llm.fences import cleaned, one_line
from autosr_lib.llm.json_text import cut_off_members, json_values
from autosr_lib.llm.schemas import CRITERION_TYPES, MAX_PROPOSED, scale_max
from autosr_lib.search.roles import Proposal
from autosr_lib.validation import finding, place

SHOWN = 200
MAX_CRITERIA = 20

T = TypeVar("T")
_LABEL = re.compile(r"\s*[\[(*\"']*([A-Za-z]?)\s*(\d{1,4})(?![\d.])")


class Reading(NamedTuple, Generic[T]):
    """What a reply says, and what is wrong with it if only a part can be used."""

    value: T
    fault: str | None = None


class BadReplyError(ReplyError):
    """A reply of which nothing can be used; `fault` says why, in words that its model may be told."""

    def __init__(self, fault: str, text: str) -> None:
        self.fault = fault
        super().__init__(f"{fault}; the reply begins {text[:SHOWN]!r}")


class _Reply(BaseModel):
    """Strict about types, as a bool or a string is no number; added keys are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


def _not_blank(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    return text


_Line = Annotated[str, Field(max_length=2000), AfterValidator(one_line), AfterValidator(_not_blank)]


class CriterionReply(_Reply):
    """One criterion as a model writes it."""

    text: _Line
    type: Annotated[str, AfterValidator(one_line)] = "quality"
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    check_points: Annotated[list[_Line], Field(max_length=12)] = []
    positive_examples: Annotated[list[_Line], Field(max_length=12)] = []
    negative_examples: Annotated[list[_Line], Field(max_length=12)] = []

    def criterion(self) -> Criterion:
        """Return the criterion, named by what it says so that names never meet."""
        made = Criterion(
            criterion_id="new",
            text=self.text,
            weight=self.weight,
            criterion_type=self.type if self.type in CRITERION_TYPES else "quality",
            check_points=tuple(self.check_points),
            positive_examples=tuple(self.positive_examples),
            negative_examples=tuple(self.negative_examples),
        )
        return made.model_copy(update={"criterion_id": f"c_{made.key[:8]}"})


class GradeReply(_Reply):
    """One grade as a model writes it; null where "not applicable" is allowed."""

    grade: Annotated[float, Field(allow_inf_nan=False)] | None
    reason: str = ""


class JudgeReply(_Reply):
    """A comparison as a model writes it."""

    verdict: str
    reason: str = ""


def read_rubric(text: str) -> Reading[Rubric]:
    """Return the rubric of an initializer's reply.

    Raises:
        ReplyError: it holds no criterion.
    """
    criteria, faults = _criteria(_object_with("criteria", text), MAX_CRITERIA)
    if not criteria:
        raise BadReplyError(_joined(faults) or "the list of criteria is empty", text)
    return Reading(Rubric(criteria=tuple(criteria)), _joined(faults))


def read_proposal(text: str, parent: Rubric, labels: Mapping[str, str]) -> Reading[Proposal]:
    """Return the proposal of a proposer's reply; `labels` says which criterion id each label stood for.

    Raises:
        ReplyError: it holds no criterion that can be read, though it tries to.
    """
    reply = _object_with("criteria", text)
    criteria, faults = _criteria(reply, MAX_PROPOSED)
    known = set(parent.keys)
    if criteria and not (criteria := [one for one in criteria if one.key not in known]):
        faults.append("every criterion repeats one of the present rubric")
        return Reading(Proposal(()), _joined(faults))
    if faults and not criteria:
        raise BadReplyError(str(_joined(faults)), text)
    if not criteria:
        return Reading(Proposal(()), "the list of criteria is empty")
    replaced: list[str] = []
    named = reply.get("replaces") or []
    for name in named if isinstance(named, list) else [named]:
        label = _label(name, "R")
        if label in labels:
            replaced.append(labels[label])
        else:
            faults.append(f'"replaces" names {str(name)[:40]!r}, which is no label of the present rubric')
    return Reading(Proposal(tuple(criteria), tuple(dict.fromkeys(replaced))), _joined(faults))


def read_grades(text: str, labels: Mapping[str, str], grading: GradingSettings) -> Reading[dict[str, Grade]]:
    """Return the grades of a verifier's reply by criterion key, on the unit scale; `labels` says which key is which.

    A criterion that the reply leaves out, grades twice, or grades with something that is no grade, is left out.

    Raises:
        ReplyError: it grades no criterion.
    """
    top = scale_max(grading.scale)
    found: dict[str, GradeReply] = {}
    faults: dict[str, str] = {}
    for label, item in _graded_items(text, labels):
        if label in found or label in faults:
            found.pop(label, None)
            faults[label] = f"{label} is graded more than once"
            continue
        try:
            read = GradeReply.model_validate(item if isinstance(item, dict) else {"grade": item})
        except ValidationError as error:
            faults[label] = f"{label}: {_first_fault(error)}"
            continue
        if fault := _grade_fault(read.grade, grading, top):
            faults[label] = f"{label}: {fault}"
        else:
            found[label] = read
    faults |= {label: f"{label} has no grade" for label in labels if label not in found and label not in faults}
    if not found:
        raise BadReplyError(_joined(list(faults.values())) or "no criterion is graded", text)
    if grading.scale is Scale.AUTO and all(read.grade is None or read.grade <= 1 for read in found.values()):
        top = 1
    grades = {labels[label]: _unit(read, top) for label, read in found.items()}
    return Reading(grades, _joined(list(faults.values())))


def read_verdict(text: str) -> Reading[Verdict]:
    """Return the verdict of a judge's reply, told in the order in which the two were shown.

    Raises:
        ReplyError: it names neither of the two, nor a tie.
    """
    try:
        reply = JudgeReply.model_validate(_object_with("verdict", text))
    except ValidationError as error:
        raise BadReplyError(_first_fault(error), text) from None
    word = reply.verdict.strip().strip("\"'.*[]()").lower()
    verdict = {"a": Verdict.FIRST, "b": Verdict.SECOND, "tie": Verdict.TIE}.get(word)
    if verdict is None:
        raise BadReplyError(f'"verdict" is {reply.verdict[:40]!r}; it must be "A", "B" or "tie"', text)
    return Reading(verdict)


def _object_with(key: str, text: str) -> dict[str, Any]:
    objects = [value for value in json_values(text) if isinstance(value, dict)]
    # The last one: a model may quote or draft before it answers.
    for value in reversed(objects):
        if key in value:
            return value
    if objects:
        raise BadReplyError(f'the JSON object has no "{key}"', text)
    raise BadReplyError("there is no complete JSON object", text)


def _criteria(reply: Mapping[str, Any], most: int) -> tuple[list[Criterion], list[str]]:
    written = reply["criteria"]
    if not isinstance(written, list):
        return [], ['"criteria" is not a list']
    criteria: dict[str, Criterion] = {}
    faults: list[str] = []
    for number, item in enumerate(written, 1):
        try:
            criterion = CriterionReply.model_validate(item).criterion()
        except ValidationError as error:
            faults.append(f"criterion {number}: {_first_fault(error)}")
        else:
            criteria.setdefault(criterion.key, criterion)
    if len(criteria) > most:
        faults.append(f"{len(criteria)} criteria are too many; at most {most} are wanted")
    return list(criteria.values())[:most], faults


def _graded_items(text: str, labels: Mapping[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield each label asked for with what the reply says of it, from the last JSON that grades any."""
    for value in [*reversed(json_values(text)), cut_off_members(text)]:
        inner = value.get("grades", value) if isinstance(value, dict) else value
        if isinstance(inner, dict):
            pairs = [(_label(name, "C"), item) for name, item in inner.items()]
        elif isinstance(inner, list):
            items = [item for item in inner if isinstance(item, dict)]
            pairs = [(_label(item.get("criterion", item.get("label")), "C"), item) for item in items]
        else:
            continue
        if asked := [(label, item) for label, item in pairs if label in labels]:
            yield from asked
            return


def _label(name: Any, letter: str) -> str:
    """Return the label that a model meant by "c2", "C2: …" or 2."""
    match = _LABEL.match(str(name)) if isinstance(name, str | int) and not isinstance(name, bool) else None
    if match is None or match.group(1).upper() not in ("", letter):
        return ""
    return f"{letter}{int(match.group(2))}"


def _grade_fault(grade: float | None, grading: GradingSettings, top: int) -> str | None:
    if grade is None:
        return None if grading.allow_not_applicable else "the grade is null"
    if not math.isfinite(grade) or not 0 <= grade <= top:
        return f"the grade {grade:g} is outside 0 to {top}"
    if grading.scale is Scale.BINARY and grade not in (0, 1):
        return f"the grade {grade:g} is neither 0 nor 1"
    return None


def _unit(read: GradeReply, top: int) -> Grade:
    reason = cleaned(read.reason)[: SHOWN * 5]
    return Grade(None if read.grade is None else read.grade / top, reason)


def _first_fault(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = place(first["loc"])
    return f"{where}: {finding(first)}" if where else finding(first)


def _joined(faults: list[str]) -> str | None:
    if not faults:
        return None
    return "; ".join(faults[:10]) + ("; …" if len(faults) > 10 else "")
