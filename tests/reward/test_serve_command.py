"""The command `autosr serve`: a real server on loopback."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from autosr_assets.cli.serve import is_loopback, token_for
from autosr_lib.errors import SettingsError
from autosr_lib.reward import Rubrics
from tests.llm.server import ModelServer, Stall
from tests.reward.searched import KEY, Searched
from tests.reward.serving import TOKEN, Serving


@pytest.fixture(scope="module")
def served(by_model: Searched) -> Iterator[Serving]:
    with Serving(by_model, ("--max-batch", "8", "--max-body-bytes", "20000")) as serving:
        yield serving


def some_prompt(home: Searched) -> str:
    return str(home.said()["best_rubrics"][0]["prompt_id"])


async def test_a_score_over_http_is_the_score_of_the_library(served: Serving, by_model: Searched) -> None:
    rubrics, prompt_id = Rubrics.load(by_model.path, cache_dir=by_model.cache), some_prompt(by_model)
    wanted = await rubrics.score(prompt_id, "A response.")

    with served.client() as client:
        one = client.post("/score", json={"prompt_id": prompt_id, "response": "A response."})
        two = client.post(
            "/batch_score", json={"responses": [{"prompt_id": prompt_id, "response": r} for r in ("A response.", "B")]}
        )

    assert one.status_code == two.status_code == 200
    assert one.json()["score"] == wanted.score
    assert one.json()["grades"][0]["reasons"] == ["seen"]
    assert two.json()["scored"][0] == one.json()
    assert len(two.json()["scored"]) == 2


def test_without_the_token_only_its_health_is_told(served: Serving) -> None:
    for token in (None, "wrong", TOKEN + "x", TOKEN[:-1]):
        with served.client(token) as client:
            answers = {
                path: client.get(path) for path in ("/rubrics", "/metrics", "/docs", "/openapi.json", "/nothing")
            }
            health = client.get("/healthz")
            posted = client.post("/score", content=b"not even JSON")

        assert {answer.status_code for answer in answers.values()} == {401}
        assert answers["/rubrics"].headers["www-authenticate"] == "Bearer"
        assert posted.status_code == 401
        assert health.json() == {"status": "ok", "prompts": 3}


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/score", {"prompt_id": "nobody", "response": "x"}, 404, "'nobody' has no rubric"),
        ("/score", {"prompt_id": "nobody"}, 422, "Field required"),
        ("/score", {"prompt_id": "nobody", "response": 3}, 422, "valid string"),
        ("/batch_score", {"responses": []}, 422, "at least 1 item"),
        ("/batch_score", {"responses": [{"prompt_id": "a", "response": "b"}] * 9}, 422, "at most 8 items"),
        ("/score", {"prompt_id": "a", "response": "b" * 20000}, 413, "at most 20000 are allowed"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_a_reason(
    path: str, body: object, status: int, says: str, served: Serving
) -> None:
    with served.client() as client:
        answer = client.post(path, json=body)

    assert answer.status_code == status
    assert says in answer.text


def test_a_large_body_whose_length_is_not_told_is_refused_while_it_comes(served: Serving) -> None:
    with served.client() as client:
        answer = client.post("/score", content=(b"x" * 1000 for _ in range(30)))

    assert answer.status_code == 413
    assert "more than 20000 bytes" in answer.text


def test_rubrics_and_figures_are_told(served: Serving, by_model: Searched) -> None:
    prompt_id = some_prompt(by_model)
    with served.client() as client:
        client.post("/score", json={"prompt_id": prompt_id, "response": "Counted."})
        told = client.get("/rubrics", params={"limit": 2}).json()
        one = client.get("/rubrics", params={"prompt_id": prompt_id}).json()
        figures = client.get("/metrics")

    assert (told["search"], told["which"], told["votes"], told["prompts"]) == ("ranked", "rubric", 1, 3)
    assert len(told["rubrics"]) == 2
    assert sum(c["weight"] for c in one["rubrics"][0]["criteria"]) == pytest.approx(1)
    assert figures.headers["content-type"].startswith("text/plain")
    assert 'autosr_requests_total{path="/score",status="200"}' in figures.text
    assert 'autosr_responses_total{outcome="scored"}' in figures.text
    assert "autosr_model_calls_total" in figures.text


def test_one_more_than_may_be_under_way_is_turned_away_and_those_under_way_are_answered_at_the_end(
    by_model: Searched,
) -> None:
    arrived = threading.Semaphore(0)

    def slowly(*_: object) -> Stall:
        arrived.release()
        return Stall(3.0)

    with (
        ModelServer(faults=slowly) as model,
        Serving(by_model, ("--max-concurrent", "2"), base_url=model.base_url) as serving,
    ):
        body = {"prompt_id": some_prompt(by_model)}
        with serving.client() as client, ThreadPoolExecutor(2) as pool:
            under_way = [
                pool.submit(client.post, "/score", json={**body, "response": f"In time {i}."}) for i in range(2)
            ]
            assert arrived.acquire(timeout=20)
            assert arrived.acquire(timeout=20)
            turned_away = client.post("/score", json={**body, "response": "Too many."})
            code = serving.end()
            answers = [one.result() for one in under_way]

    assert turned_away.status_code == 429
    assert turned_away.headers["retry-after"] == "1"
    assert [answer.status_code for answer in answers] == [200, 200]
    assert code == 0


def test_neither_texts_nor_secrets_are_in_what_it_writes(by_model: Searched) -> None:
    with Serving(by_model) as serving:
        with serving.client() as client:
            client.post("/score", json={"prompt_id": some_prompt(by_model), "response": "MARKED-text"})
            client.post("/score", json={"prompt_id": "MARKED-text", "response": "MARKED-text"})
            client.post("/score", content=b'{"MARKED-text')
        serving.end()
        said = "".join(serving.said)

    assert "Started server process" in said
    for secret in ("MARKED-text", TOKEN, KEY):
        assert secret not in said


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.com"])  # noqa: S104 - refused
def test_beyond_this_machine_it_does_not_start_without_a_token(
    host: str, by_model: Searched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUTOSR_SERVE_TOKEN", raising=False)

    said = by_model.autosr("serve", str(by_model.path), "--host", host)

    assert said.code == 2
    assert "the environment variable AUTOSR_SERVE_TOKEN is empty" in said.err


def test_a_token_that_no_header_can_carry_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSR_SERVE_TOKEN", "schlüssel mit lücke")

    with pytest.raises(SettingsError, match="contains a character that is not valid in a header"):
        token_for("127.0.0.1")


def test_loopback_is_known_by_its_addresses() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "::", "localhost.example.com", "")))  # noqa: S104


def test_alone_on_this_machine_no_token_is_needed(by_model: Searched) -> None:
    with Serving(by_model, token=None) as serving, serving.client(None) as client:
        assert client.get("/rubrics").status_code == 200


def test_a_body_that_comes_too_slowly_is_given_up(by_model: Searched) -> None:
    import asyncio

    from starlette.types import Message

    from autosr_lib.reward.server import ServeSettings, create_app

    app = create_app(Rubrics.load(by_model.path), ServeSettings(body_seconds=0.05), None)
    sent: list[Message] = []

    async def never() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/score", "headers": [], "query_string": b""}
    started = time.monotonic()
    asyncio.run(app(scope, never, send))

    assert sent[0]["status"] == 408
    assert time.monotonic() - started < 10


@pytest.mark.slow
def test_it_answers_whatever_its_own_openapi_allows_and_nothing_else(served: Serving) -> None:
    import schemathesis
    from hypothesis import HealthCheck, given, settings

    headers = {"authorization": f"Bearer {TOKEN}"}
    schema = schemathesis.openapi.from_url(served.url + "/openapi.json", headers=headers)
    asked: set[str] = set()

    def check(case: schemathesis.Case) -> None:
        asked.add(case.path)
        case.call_and_validate(headers=headers)

    for operation in schema.get_all_operations():
        bounded = settings(
            max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        bounded(given(case=operation.ok().as_strategy())(check))()

    assert asked == {"/score", "/batch_score", "/rubrics", "/healthz", "/metrics"}
    assert httpx.get(served.url + "/healthz").status_code == 200
