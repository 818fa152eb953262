"""`Blocking`: scoring from code that is not asynchronous, and from forked processes."""

import os

from tests.reward.searched_home import SearchedHome


async def test_blocking_scores_are_the_same_even_while_an_event_loop_runs(model_home: SearchedHome) -> None:
    rubrics = model_home.rubrics()
    prompt_id = rubrics.prompt_ids[0]
    expected = (await rubrics.score(prompt_id, "A response.")).score
    blocking = model_home.rubrics().blocking()

    assert blocking.score(prompt_id, "A response.").score == expected
    assert [scored.score for scored in blocking.score_batch([(prompt_id, "A response.")])] == [expected]
    blocking.close()
    assert blocking.score(prompt_id, "A response.").score == expected
    blocking.close()


def test_a_forked_process_scores_as_its_parent_does(model_home: SearchedHome) -> None:
    blocking = model_home.rubrics().blocking()
    prompt_id = model_home.prompt_ids[0]
    expected = blocking.score(prompt_id, "A response.").score
    reader, writer = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(writer, repr(blocking.score(prompt_id, "A response.").score).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reader, 100).decode() == repr(expected)
    blocking.close()
