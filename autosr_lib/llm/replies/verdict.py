"""Reader of the judge's reply."""

from pydantic import ValidationError

from autosr_lib.domain.preference import Verdict
from autosr_lib.llm.replies.parsing import BadReplyError, ParsedReply, StrictReply, first_fault, object_with


class JudgeReply(StrictReply):
    """A comparison as a model writes it."""

    verdict: str
    reason: str = ""


def read_verdict(text: str) -> ParsedReply[Verdict]:
    """Return the verdict in a judge's reply; FIRST and SECOND refer to the order in which the two were shown.

    Raises:
        BadReplyError: the verdict is missing, or is not "A", "B" or "tie".

    >>> read_verdict('{"reason": "B has a source.", "verdict": "B"}').value
    <Verdict.SECOND: 'second'>
    """
    try:
        reply = JudgeReply.model_validate(object_with("verdict", text))
    except ValidationError as error:
        raise BadReplyError(first_fault(error), text) from None
    word = reply.verdict.strip().strip("\"'.*[]()").lower()
    verdict = {"a": Verdict.FIRST, "b": Verdict.SECOND, "tie": Verdict.TIE}.get(word)
    if verdict is None:
        raise BadReplyError(f'"verdict" is {reply.verdict[:40]!r}; it must be "A", "B" or "tie"', text)
    return ParsedReply(verdict)
