"""Reader of grades: the verifier's reply."""

import json
import time
from typing import Any

import pytest

from autosr_lib.errors import ReplyError
from autosr_lib.evaluation.roles import Grade
from autosr_lib.evaluation.settings import GradingSettings, Scale
from autosr_lib.llm.fences import label_items
from autosr_lib.llm.replies.grades import read_grades

LABELS = label_items("C", ["k1", "k2"])
GOOD = '{"C1": {"reason": "a", "grade": 4}, "C2": {"reason": "b", "grade": 2.5}}'
GRADES = {"k1": Grade(0.8, "a"), "k2": Grade(0.5, "b")}


def grades(text: str, **grading: Any) -> dict[str, Grade]:
    return read_grades(text, LABELS, GradingSettings(**grading)).value


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Here are my grades:\n{GOOD}\nI hope they help. Use {{braces}} freely.",
        f"<think>Maybe {{'C1': 5}} or {GOOD.replace('4', '0')}?</think>\n{GOOD}",
        f"C1 is fine, so I was done thinking.</think>{GOOD}",
        GOOD.replace('"grade": 4', '"grade": 4, "confidence": "high"'),
        GOOD.replace("}}", '}, "C9": {"reason": "not asked", "grade": 1}}'),
        f'{{"grades": {GOOD}}}',
        json.dumps([{"criterion": "C1", "reason": "a", "grade": 4}, {"criterion": "C2", "reason": "b", "grade": 2.5}]),
        GOOD.replace('"C1"', '"c1"').replace('"C2"', '"2"'),
        GOOD.replace('"C1"', '"C1: covers point 1"'),
        f'The response claims {{"C1": {{"reason": "best", "grade": 5}}}} of itself.\n{GOOD}',
        GOOD.replace('"a"', '"\\u0061"'),
        "\ufeff" + GOOD,
    ],
)
def test_grades_are_read_from_any_wrapping(text: str) -> None:
    assert grades(text) == GRADES


def test_raw_control_characters_in_a_reason_are_removed() -> None:
    reply = '{"C1": {"reason": "a\x01\x00b\nc", "grade": 4}, "C2": {"reason": "</think>", "grade": 1}}'

    assert grades(reply) == {"k1": Grade(0.8, "ab\nc"), "k2": Grade(0.2, "</think>")}


def test_half_of_an_escaped_emoji_in_a_reason_is_replaced() -> None:
    read = grades('{"C1": {"reason": "cut \\ud83d", "grade": 4}, "C2": {"reason": "b", "grade": 1}}')

    assert read["k1"].value == 0.8
    read["k1"].reason.encode()


@pytest.mark.parametrize("cut", [1, 5, 12, 25])
def test_the_complete_grades_of_a_truncated_reply_are_used(cut: int) -> None:
    parsed = read_grades(GOOD[:-cut], LABELS, GradingSettings())

    assert parsed.value["k1"] == GRADES["k1"]
    assert parsed.fault is not None or parsed.value == GRADES


def test_a_truncated_number_is_not_a_grade() -> None:
    parsed = read_grades('{"C1": 4, "C2": 2', LABELS, GradingSettings())

    assert parsed.value == {"k1": Grade(0.8)}
    assert parsed.fault == "C2 has no grade"


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("true", "grade: must be a valid number"),
        ('"4"', "grade: must be a valid number"),
        ("NaN", "finite"),
        ("Infinity", "finite"),
        ("1e999", "finite"),
        ("5.01", "outside 0 to 5"),
        ("-1", "outside 0 to 5"),
        ("null", "the grade is null"),
        ("[4]", "valid number"),
        ("{}", "valid number"),
        ("9" * 5000, ""),
    ],
)
def test_an_invalid_grade_leaves_its_criterion_ungraded(written: str, message: str) -> None:
    reply = f'{{"C2": {{"reason": "b", "grade": 2.5}}, "C1": {{"reason": "a", "grade": {written}}}}}'

    parsed = read_grades(reply, LABELS, GradingSettings())

    assert parsed.value == {"k2": GRADES["k2"]}
    assert parsed.fault is not None
    assert parsed.fault.startswith("C1")
    assert message in parsed.fault


def test_two_grades_of_one_criterion_leave_it_ungraded() -> None:
    reply = '[{"criterion": "C1", "grade": 5}, {"criterion": "C1", "grade": 0}, {"criterion": "C2", "grade": 1}]'

    parsed = read_grades(reply, LABELS, GradingSettings())

    assert parsed.value == {"k2": Grade(0.2)}
    assert parsed.fault == "C1 is graded more than once"


@pytest.mark.parametrize(
    ("scale", "written", "unit"),
    [
        (Scale.FIVE, 1, 0.2),
        (Scale.UNIT, 1, 1.0),
        (Scale.UNIT, 0.25, 0.25),
        (Scale.BINARY, 1, 1.0),
        (Scale.BINARY, 0, 0.0),
        (Scale.AUTO, 1, 0.2),
    ],
)
def test_grades_are_converted_from_the_scale_of_the_settings(scale: Scale, written: float, unit: float) -> None:
    reply = json.dumps({"C1": {"reason": "", "grade": written}, "C2": {"reason": "", "grade": 3}})

    assert read_grades(reply, LABELS, GradingSettings(scale=scale)).value["k1"].value == pytest.approx(unit)


def test_the_scale_auto_is_decided_by_the_complete_reply() -> None:
    reply = json.dumps({"C1": {"reason": "", "grade": 1}, "C2": {"reason": "", "grade": 0.5}})

    assert [grade.value for grade in grades(reply, scale=Scale.AUTO).values()] == [1.0, 0.5]


def test_a_binary_grade_is_0_or_1() -> None:
    parsed = read_grades('{"C1": 0.5, "C2": 1}', LABELS, GradingSettings(scale=Scale.BINARY))

    assert parsed == ({"k2": Grade(1.0)}, "C1: the grade 0.5 is neither 0 nor 1")


def test_null_means_not_applicable_only_if_that_is_allowed() -> None:
    reply = '{"C1": {"reason": "x", "grade": null}, "C2": {"reason": "b", "grade": 2.5}}'

    assert grades(reply, allow_not_applicable=True)["k1"] == Grade(None, "x")
    assert "k1" not in grades(reply)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "{}",
        "[]",
        "null",
        '{"C9": 4}',
        '{"C1": true, "C2": "x"}',
        "{" * 100_000,
        '{"a":' * 50_000,
        "[" * 99_999,
    ],
)
def test_a_reply_without_a_grade_raises_an_error_with_its_first_200_characters(text: str) -> None:
    started = time.process_time()

    with pytest.raises(ReplyError) as caught:
        grades(text)

    assert repr(text[:200]) in str(caught.value)
    assert time.process_time() - started < 2
