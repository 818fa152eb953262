"""Readers of the replies that contain criteria: those of the initializer and of the proposer."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from autosr_lib.domain.rubric import Criterion, Rubric
from autosr_lib.llm.fences import to_one_line
from autosr_lib.llm.replies.parsing import (
    BadReplyError,
    ParsedReply,
    StrictReply,
    first_fault,
    join_faults,
    object_with,
    parse_label,
)
from autosr_lib.llm.schemas import CRITERION_TYPES, MAX_PROPOSED
from autosr_lib.search.roles import Proposal

MAX_CRITERIA = 20
"""Maximum number of criteria of an initial rubric."""


def _require_text(text: str) -> str:
    if not text:
        raise ValueError("is empty")
    return text


_Line = Annotated[str, Field(max_length=2000), AfterValidator(to_one_line), AfterValidator(_require_text)]
_Lines = Annotated[list[_Line], Field(max_length=12)]


class WrittenCriterion(StrictReply):
    """A criterion as a model writes it."""

    text: _Line
    type: Annotated[str, AfterValidator(to_one_line)] = "quality"
    weight: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    check_points: _Lines = Field(default_factory=list)
    positive_examples: _Lines = Field(default_factory=list)
    negative_examples: _Lines = Field(default_factory=list)

    def to_criterion(self) -> Criterion:
        """Return the criterion; its id is a hash of its content, so that ids of different criteria do not collide."""
        criterion = Criterion(
            criterion_id="new",
            text=self.text,
            weight=self.weight,
            criterion_type=self.type if self.type in CRITERION_TYPES else "quality",
            check_points=tuple(self.check_points),
            positive_examples=tuple(self.positive_examples),
            negative_examples=tuple(self.negative_examples),
        )
        return criterion.model_copy(update={"criterion_id": f"c_{criterion.key[:8]}"})


def read_rubric(text: str) -> ParsedReply[Rubric]:
    """Return the rubric in an initializer's reply.

    Raises:
        BadReplyError: the reply contains no usable criterion.

    >>> reply = read_rubric('{"criteria": [{"text": "It is clear.", "weight": 3}, {"weight": 2}]}')
    >>> [criterion.text for criterion in reply.value.criteria], reply.fault
    (['It is clear.'], 'criterion 2: text: is missing')
    """
    criteria, faults = _read_criteria(object_with("criteria", text), MAX_CRITERIA)
    if not criteria:
        raise BadReplyError(join_faults(faults) or "the list of criteria is empty", text)
    return ParsedReply(Rubric(criteria=tuple(criteria)), join_faults(faults))


def read_proposal(text: str, parent: Rubric, labels: Mapping[str, str]) -> ParsedReply[Proposal]:
    """Return the proposal in a proposer's reply; it is empty if the reply contains no criterion that `parent` lacks.

    Args:
        text: the reply.
        parent: the rubric that the proposal changes.
        labels: criterion ids of the parent by the labels that the model has seen.

    Raises:
        BadReplyError: the reply contains criteria, but none is usable.

    >>> parent = Rubric(criteria=(Criterion(criterion_id="a", text="Clear."),))
    >>> proposal = read_proposal('{"criteria": [{"text": "Short."}], "replaces": ["R1"]}', parent, {"R1": "a"}).value
    >>> [criterion.text for criterion in proposal.criteria], proposal.replaces
    (['Short.'], ('a',))
    """
    reply = object_with("criteria", text)
    criteria, faults = _read_criteria(reply, MAX_PROPOSED)
    if not criteria:
        if faults:
            raise BadReplyError(str(join_faults(faults)), text)
        return ParsedReply(Proposal(()), "the list of criteria is empty")
    parent_keys = set(parent.keys)
    criteria = [criterion for criterion in criteria if criterion.key not in parent_keys]
    if not criteria:
        faults.append("every criterion repeats one of the present rubric")
        return ParsedReply(Proposal(()), join_faults(faults))
    replaced: list[str] = []
    names = reply.get("replaces") or []
    for name in names if isinstance(names, list) else [names]:
        label = parse_label(name, "R")
        if label in labels:
            replaced.append(labels[label])
        else:
            faults.append(f'"replaces" names {str(name)[:40]!r}, which is no label of the present rubric')
    return ParsedReply(Proposal(tuple(criteria), tuple(dict.fromkeys(replaced))), join_faults(faults))


def _read_criteria(reply: Mapping[str, Any], maximum: int) -> tuple[list[Criterion], list[str]]:
    """Return the distinct usable criteria, at most `maximum`, and the faults of the others."""
    items = reply["criteria"]
    if not isinstance(items, list):
        return [], ['"criteria" is not a list']
    criteria: dict[str, Criterion] = {}
    faults: list[str] = []
    for number, item in enumerate(items, 1):
        try:
            criterion = WrittenCriterion.model_validate(item).to_criterion()
        except ValidationError as error:
            faults.append(f"criterion {number}: {first_fault(error)}")
        else:
            criteria.setdefault(criterion.key, criterion)
    if len(criteria) > maximum:
        faults.append(f"{len(criteria)} criteria are too many; at most {maximum} are wanted")
    return list(criteria.values())[:maximum], faults
