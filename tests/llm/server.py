"""A scripted OpenAI-compatible server on loopback, which runs in a thread.

Its replies depend only on the prompt, the criteria and the candidates of a request, so a repeated request gets the same
reply. Faults come from a script: a list with one entry per request, or a function.
"""

import asyncio
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

Body = dict[str, Any]


@dataclass(frozen=True)
class Status:
    """An HTTP error."""

    status: int
    error: Any = "scripted"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Drop:
    """A connection that is closed without a response."""


@dataclass(frozen=True)
class Stall:
    """A reply that is delayed by this many seconds."""

    seconds: float


@dataclass(frozen=True)
class Says:
    """A well-formed completion with this content."""

    content: Any
    finish_reason: str = "stop"
    refusal: str | None = None


@dataclass(frozen=True)
class Envelope:
    """A response with status 200 and this body, JSON or text."""

    body: Any


Fault = Status | Drop | Stall | Says | Envelope
FaultScript = Callable[[int, Body], Fault | None]


class ModelServer:
    """The server; use it as a context manager. `requests` holds the body of each request, `headers` its headers."""

    def __init__(
        self,
        reply: Callable[[Body], str] | None = None,
        faults: Sequence[Fault | None] | FaultScript = (),
        latency: float = 0.0,
    ) -> None:
        self._reply = reply or reply_of
        self._faults = faults if callable(faults) else _in_turn(list(faults))
        self.latency = latency
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._port = 0
        self.requests: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.times: list[float] = []
        self.answered: dict[int, float] = {}
        self.max_concurrent = 0
        self._concurrent = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def now(self) -> float:
        """Return the current time of the clock that `times` and `answered` use."""
        return self._loop.time()

    def clear(self) -> None:
        """Clear the record of requests."""
        for record in (self.requests, self.headers, self.times, self.answered):
            record.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10), "the server did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/chat/completions", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        self._loop.run_until_complete(site.start())
        self._port = runner.addresses[0][1]
        self._ready.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        number = len(self.requests)
        self.requests.append(body)
        self.headers.append(dict(request.headers))
        self.times.append(self._loop.time())
        self._concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self._concurrent)
        try:
            if self.latency:
                await asyncio.sleep(self.latency)
            return await self._answer(request, body, self._faults(number, body))
        finally:
            self.answered[number] = self._loop.time()
            self._concurrent -= 1

    async def _answer(self, request: web.Request, body: Body, fault: Fault | None) -> web.StreamResponse:
        if isinstance(fault, Status):
            error = fault.error if isinstance(fault.error, dict) else {"message": fault.error}
            return web.json_response({"error": error}, status=fault.status, headers=fault.headers)
        if isinstance(fault, Drop):
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if isinstance(fault, Stall):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, Envelope):
            if isinstance(fault.body, str):
                return web.Response(text=fault.body, content_type="application/json")
            return web.json_response(fault.body)
        if isinstance(fault, Says):
            return web.json_response(completion(fault.content, fault.finish_reason, fault.refusal))
        return web.json_response(completion(self._reply(body)))


def completion(content: Any, finish_reason: str = "stop", refusal: str | None = None) -> Body:
    message = {"role": "assistant", "content": content, "refusal": refusal}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def user_text(body: Body) -> str:
    return str(body["messages"][-1]["content"])


def all_text(body: Body) -> str:
    return json.dumps(body, ensure_ascii=False)


def blocks(body: Body) -> list[str]:
    """Return the fenced texts of a request in their order."""
    return [match.group(2) for match in re.finditer(r"<data-(\w+)>\n(.*?)\n</data-\1>", user_text(body), re.DOTALL)]


def criteria_of(body: Body) -> dict[str, str]:
    """Return the verifier's criteria by label, ignoring the fenced texts."""
    unfenced = re.sub(r"<data-(\w+)>\n.*?\n</data-\1>", "", user_text(body), flags=re.DOTALL)
    return dict(re.findall(r"^(C\d+)[:：] ?(.*)$", unfenced, re.MULTILINE))


def role_of(body: Body) -> str:
    """Return the role that sent a request, from the name of its schema or from words of its template."""
    schema_name = body.get("response_format", {}).get("json_schema", {}).get("name")
    if schema_name:
        return str(schema_name)
    marks = {"verdict": "judge", '"replaces"': "proposer", '"analysis"': "initializer", '"grade"': "verifier"}
    text = "".join(str(message["content"]) for message in body["messages"])
    if "response_format" not in body and "helpful assistant" in text:
        return "responder"
    return next((role for mark, role in marks.items() if mark in text), "preflight")


def chance(*parts: str) -> float:
    """Return a number in [0, 1) that depends only on the texts."""
    digest = hashlib.sha256("\x00".join(parts).encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32


def reply_of(body: Body) -> str:
    """Return the valid reply of a model."""
    texts = blocks(body)
    role = role_of(body)
    if role == "verifier":
        values = {label: chance(criterion, texts[-1]) for label, criterion in criteria_of(body).items()}
        is_binary = '"enum": [0, 1]' in json.dumps(body.get("response_format"))
        grades = {label: round(value) if is_binary else round(value * 10) / 2 for label, value in values.items()}
        return json.dumps({label: {"reason": "seen", "grade": grade} for label, grade in grades.items()})
    if role == "judge":
        first, second = texts[-2:]
        return json.dumps({"reason": "r", "verdict": "A" if chance(first) > chance(second) else "B"})
    if role in ("initializer", "proposer"):
        # The system message contains the mode.
        text = str(body["messages"][0]["content"]) + user_text(body).split("Your earlier reply")[0]
        name = hashlib.sha256(text.encode()).hexdigest()[:6]
        criteria = [
            {"text": f"The response covers point {name}-{n}.", "type": "depth", "weight": n, "check_points": ["seen"]}
            for n in (1, 2, 3)
        ]
        return json.dumps({"analysis": "a", "criteria": criteria[: 3 if role == "initializer" else 2], "replaces": []})
    if role == "responder":
        return f"The answer of {body['model']} to {user_text(body)!r}."
    return '{"ok": true}'


class Sampling:
    """Replies of a model that follows the templates and does not repeat itself.

    A first rubric has five criteria, and a repeated request of the proposer gets a different reply.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __call__(self, body: Body) -> str:
        reply = reply_of(body)
        if role_of(body) == "initializer":
            rubric = json.loads(reply)
            more = [{**criterion, "text": f"{criterion['text']} In full."} for criterion in rubric["criteria"][:2]]
            return json.dumps({**rubric, "criteria": [*rubric["criteria"], *more]})
        if role_of(body) != "proposer":
            return reply
        text = all_text(body)
        self._counts[text] += 1
        return reply.replace("covers point", f"covers point {self._counts[text]} of")


def accept_formats(*accepted: str) -> FaultScript:
    """Return a script that refuses requests with other reply formats."""

    def script(number: int, body: Body) -> Fault | None:
        reply_format = body.get("response_format", {"type": "text"})["type"]
        if reply_format in accepted:
            return None
        return Status(400, error=f"response_format {reply_format} is not supported")

    return script


def _in_turn(faults: list[Fault | None]) -> FaultScript:
    def script(number: int, body: Body) -> Fault | None:
        return faults[number] if number < len(faults) else None

    return script
