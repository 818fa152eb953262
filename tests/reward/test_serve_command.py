"""The command `autosr serve`: a real server on loopback."""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from starlette.types import Message

from autosr_assets.cli.serve import is_loopback, token_for
from autosr_lib.errors import SettingsError
from autosr_lib.reward import Rubrics
from autosr_lib.reward.server import ServeSettings, create_app
from tests.assets.model_home import KEY
from tests.llm.server import ModelServer, Stall
from tests.reward.score_server import TOKEN, ScoreServer
from tests.reward.searched_home import SearchedHome


@pytest.fixture(scope="module")
def server(model_home: SearchedHome) -> Iterator[ScoreServer]:
    with ScoreServer(model_home, ("--max-batch", "8", "--max-body-bytes", "20000")) as server:
        yield server


async def test_a_score_over_http_is_the_score_of_the_library(server: ScoreServer, model_home: SearchedHome) -> None:
    prompt_id = model_home.prompt_ids[0]
    expected = await model_home.rubrics().score(prompt_id, "A response.")

    with server.client() as client:
        score = client.post("/score", json={"prompt_id": prompt_id, "response": "A response."})
        responses = [{"prompt_id": prompt_id, "response": text} for text in ("A response.", "B")]
        batch = client.post("/batch_score", json={"responses": responses})

    assert score.status_code == batch.status_code == 200
    assert score.json()["score"] == expected.score
    assert score.json()["grades"][0]["reasons"] == ["seen"]
    assert batch.json()["scored"][0] == score.json()
    assert len(batch.json()["scored"]) == 2


def test_without_the_token_only_the_health_check_is_answered(server: ScoreServer) -> None:
    for token in (None, "wrong", TOKEN + "x", TOKEN[:-1]):
        with server.client(token) as client:
            replies = {
                path: client.get(path) for path in ("/rubrics", "/metrics", "/docs", "/openapi.json", "/nothing")
            }
            health = client.get("/healthz")
            score = client.post("/score", content=b"not even JSON")

        assert {reply.status_code for reply in replies.values()} == {401}
        assert replies["/rubrics"].headers["www-authenticate"] == "Bearer"
        assert score.status_code == 401
        assert health.json() == {"status": "ok", "prompts": 3}


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/score", {"prompt_id": "unknown", "response": "x"}, 404, "'unknown' has no rubric"),
        ("/score", {"prompt_id": "unknown"}, 422, "Field required"),
        ("/score", {"prompt_id": "unknown", "response": 3}, 422, "valid string"),
        ("/batch_score", {"responses": []}, 422, "at least 1 item"),
        ("/batch_score", {"responses": [{"prompt_id": "a", "response": "b"}] * 9}, 422, "at most 8 items"),
        ("/score", {"prompt_id": "a", "response": "b" * 20000}, 413, "at most 20000 are allowed"),
    ],
)
def test_an_invalid_request_is_refused_with_a_reason(
    path: str, body: object, status: int, message: str, server: ScoreServer
) -> None:
    with server.client() as client:
        reply = client.post(path, json=body)

    assert reply.status_code == status
    assert message in reply.text


def test_a_large_body_of_undeclared_length_is_refused_while_it_arrives(server: ScoreServer) -> None:
    with server.client() as client:
        reply = client.post("/score", content=(b"x" * 1000 for _ in range(30)))

    assert reply.status_code == 413
    assert "more than 20000 bytes" in reply.text


def test_rubrics_and_metrics_are_served(server: ScoreServer, model_home: SearchedHome) -> None:
    prompt_id = model_home.prompt_ids[0]
    with server.client() as client:
        client.post("/score", json={"prompt_id": prompt_id, "response": "Counted."})
        listed = client.get("/rubrics", params={"limit": 2}).json()
        of_prompt = client.get("/rubrics", params={"prompt_id": prompt_id}).json()
        metrics = client.get("/metrics")

    assert (listed["search"], listed["which"], listed["votes"], listed["prompts"]) == ("ranked", "rubric", 1, 3)
    assert len(listed["rubrics"]) == 2
    assert sum(criterion["weight"] for criterion in of_prompt["rubrics"][0]["criteria"]) == pytest.approx(1)
    assert metrics.headers["content-type"].startswith("text/plain")
    assert 'autosr_requests_total{path="/score",status="200"}' in metrics.text
    assert 'autosr_responses_total{outcome="scored"}' in metrics.text
    assert "autosr_model_calls_total" in metrics.text


def test_a_request_above_the_limit_is_refused_and_running_requests_are_answered_before_the_server_stops(
    model_home: SearchedHome,
) -> None:
    has_arrived = threading.Semaphore(0)

    def stall(*_: object) -> Stall:
        has_arrived.release()
        return Stall(3.0)

    with (
        ModelServer(faults=stall) as model,
        ScoreServer(model_home, ("--max-concurrent", "2"), base_url=model.base_url) as server,
    ):
        body = {"prompt_id": model_home.prompt_ids[0]}
        with server.client() as client, ThreadPoolExecutor(2) as pool:
            running = [
                pool.submit(client.post, "/score", json={**body, "response": f"Response {i}."}) for i in range(2)
            ]
            assert has_arrived.acquire(timeout=20)
            assert has_arrived.acquire(timeout=20)
            refused = client.post("/score", json={**body, "response": "Too many."})
            code = server.stop()
            replies = [request.result() for request in running]

    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "1"
    assert [reply.status_code for reply in replies] == [200, 200]
    assert code == 0


def test_the_output_of_the_server_contains_neither_texts_nor_secrets(model_home: SearchedHome) -> None:
    with ScoreServer(model_home) as server:
        with server.client() as client:
            client.post("/score", json={"prompt_id": model_home.prompt_ids[0], "response": "MARKED-text"})
            client.post("/score", json={"prompt_id": "MARKED-text", "response": "MARKED-text"})
            client.post("/score", content=b'{"MARKED-text')
        server.stop()
        output = "".join(server.output)

    assert "Started server process" in output
    for secret in ("MARKED-text", TOKEN, KEY):
        assert secret not in output


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.com"])  # noqa: S104 - refused
def test_a_host_that_other_machines_reach_needs_a_token(
    host: str, model_home: SearchedHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AUTOSR_SERVE_TOKEN", raising=False)

    result = model_home.autosr_on_export("serve", "--host", host)

    assert result.code == 2
    assert "the environment variable AUTOSR_SERVE_TOKEN is empty" in result.err


def test_a_token_that_is_not_valid_in_a_header_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSR_SERVE_TOKEN", "schlüssel mit lücke")

    with pytest.raises(SettingsError, match="contains a character that is not valid in a header"):
        token_for("127.0.0.1")


def test_loopback_addresses_are_recognised() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "::", "localhost.example.com", "")))  # noqa: S104


def test_on_loopback_no_token_is_needed(model_home: SearchedHome) -> None:
    with ScoreServer(model_home, token=None) as server, server.client(None) as client:
        assert client.get("/rubrics").status_code == 200


def test_a_body_that_arrives_too_slowly_is_refused(model_home: SearchedHome) -> None:
    app = create_app(Rubrics.load(model_home.export_path), ServeSettings(body_seconds=0.05), None)
    sent: list[Message] = []

    async def receive_nothing() -> Message:
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/score", "headers": [], "query_string": b""}
    started = time.monotonic()
    asyncio.run(app(scope, receive_nothing, send))

    assert sent[0]["status"] == 408
    assert time.monotonic() - started < 10


@pytest.mark.slow
def test_every_request_that_the_openapi_schema_allows_gets_a_reply_that_it_allows(server: ScoreServer) -> None:
    import schemathesis
    from hypothesis import HealthCheck, given, settings

    headers = {"authorization": f"Bearer {TOKEN}"}
    schema = schemathesis.openapi.from_url(server.url + "/openapi.json", headers=headers)
    paths: set[str] = set()

    def check(case: schemathesis.Case) -> None:
        paths.add(case.path)
        case.call_and_validate(headers=headers)

    for operation in schema.get_all_operations():
        limited = settings(
            max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
        )
        limited(given(case=operation.ok().as_strategy())(check))()

    assert paths == {"/score", "/batch_score", "/rubrics", "/healthz", "/metrics"}
    assert httpx.get(server.url + "/healthz").status_code == 200
