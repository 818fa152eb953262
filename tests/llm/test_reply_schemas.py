"""All readers of replies: they accept replies that match the schema, and raise a ReplyError or read anything else."""

import json

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autosr_lib.errors import ReplyError
from autosr_lib.evaluation.settings import GradingSettings, Scale
from autosr_lib.llm.fences import label_items
from autosr_lib.llm.replies.criteria import read_proposal, read_rubric
from autosr_lib.llm.replies.grades import read_grades
from autosr_lib.llm.replies.verdict import read_verdict
from autosr_lib.llm.schemas import INITIALIZER_SCHEMA, JUDGE_SCHEMA, proposer_schema, verifier_schema
from tests.llm.role_requests import PARENT


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=300)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.integers(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["C1", "C2", "grade", "criteria", "text", "verdict", "weight", "replaces"]), inner
            )
        ),
        max_leaves=12,
    ).map(json.dumps)
)
def test_any_text_is_read_or_raises_a_reply_error(text: str) -> None:
    readers = (
        lambda: read_grades(text, label_items("C", ["k1", "k2"]), GradingSettings()),
        lambda: read_rubric(text),
        lambda: read_proposal(text, PARENT, label_items("R", ["a", "b", "c"])),
        lambda: read_verdict(text),
    )

    for reader in readers:
        try:
            reader()
        except ReplyError as error:
            str(error).encode("utf-8", "replace")


def test_replies_that_match_the_schemas_are_read() -> None:
    rubric = {
        "analysis": "a",
        "criteria": [{"text": "The response is right.", "type": "depth", "weight": 3, "check_points": ["p"]}],
    }
    proposal = rubric | {"replaces": ["R1"]}
    verdict = {"reason": "r", "verdict": "tie"}
    grades = {"C1": {"reason": "a", "grade": 4}, "C2": {"reason": "b", "grade": 2.5}}

    jsonschema.validate(rubric, dict(INITIALIZER_SCHEMA))
    jsonschema.validate(proposal, dict(proposer_schema(("R1", "R2"))))
    jsonschema.validate(verdict, dict(JUDGE_SCHEMA))
    jsonschema.validate(grades, dict(verifier_schema(("C1", "C2"), Scale.FIVE, False)))

    assert read_rubric(json.dumps(rubric)).fault is None
    assert read_proposal(json.dumps(proposal), PARENT, {"R1": "x"}).fault is None
    assert read_grades(json.dumps(grades), {"C1": "x", "C2": "y"}, GradingSettings()).fault is None
    assert read_verdict(json.dumps(verdict)).fault is None


@pytest.mark.parametrize("scale", list(Scale))
def test_the_schema_contains_the_bounds_of_the_scale(scale: Scale) -> None:
    schema = dict(verifier_schema(("C1",), scale, False))
    maximum = 1 if scale in (Scale.UNIT, Scale.BINARY) else 5

    jsonschema.validate({"C1": {"reason": "", "grade": maximum}}, schema)
    for invalid in (maximum + 1, -1, None, "1"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"C1": {"reason": "", "grade": invalid}}, schema)
