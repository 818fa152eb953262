"""The HTTP application of `autosr serve`: scores responses with the rubrics of a search. Needs the extra `serve`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from autosr_lib.errors import AutosrError, BudgetExhausted, EndpointError, SettingsError
from autosr_lib.evaluation.settings import Settings
from autosr_lib.reward.rubrics import Rubrics
from autosr_lib.reward.server_gate import RequestGate
from autosr_lib.reward.server_metrics import ServerMetrics

MAX_LISTED = 1000
"""Most rubrics in one reply of `GET /rubrics`."""


class ServeSettings(Settings):
    """Limits of the server."""

    max_concurrent: int = Field(default=64, ge=1, le=10_000)
    """Most scoring requests at the same time; further ones get status 429."""
    max_batch: int = Field(default=64, ge=1, le=10_000)
    """Most responses in one batch."""
    max_body_bytes: int = Field(default=4 * 2**20, ge=1024)
    """Largest request body; a larger one gets status 413."""
    body_seconds: float = Field(default=30.0, gt=0)
    """Seconds in which the body must arrive; a slower one gets status 408."""


class ScoreRequest(BaseModel):
    """A response to score."""

    prompt_id: str = Field(description="The prompt that the response answers.", examples=["p1"])
    response: str = Field(description="The text of the response.", examples=["A response."])


class CriterionReply(BaseModel):
    """The grade of a response by one criterion."""

    criterion_id: str
    text: str
    weight: float = Field(ge=0, le=1, description="Share of the rubric.")
    grade: float | None = Field(description="0..1; null if the criterion is ungraded or does not apply.")
    votes: list[float | None]
    reasons: list[str] = Field(description="The verifier's reason for each vote.")
    is_applicable: bool
    measure: str | None = Field(
        description="The function that grades the criterion without a call; null if a model does."
    )


class ScoreReply(BaseModel):
    """A graded response."""

    prompt_id: str
    score: float | None = Field(
        description="0..1; null is unscored: more than half of the rubric's weight has no grade."
    )
    ungraded: float = Field(description="Share of the rubric's weight that is ungraded.")
    grades: list[CriterionReply]


class BatchReply(BaseModel):
    """Graded responses, in the order of the request."""

    scored: list[ScoreReply]


class CriterionEntry(BaseModel):
    """A criterion of a rubric."""

    criterion_id: str
    text: str
    weight: float
    measure: str | None


class RubricEntry(BaseModel):
    """The rubric of a prompt."""

    prompt_id: str
    criteria: list[CriterionEntry]


class RubricsReply(BaseModel):
    """The rubrics that the server grades with."""

    search: str
    which: str
    votes: int
    prompts: int = Field(description="Number of prompts that have a rubric; `rubrics` lists some of them.")
    rubrics: list[RubricEntry]


class Health(BaseModel):
    """The state of the server."""

    status: str = "ok"
    prompts: int


class Fault(BaseModel):
    """The body of an error reply."""

    detail: Any


def create_app(rubrics: Rubrics, settings: ServeSettings, token: str | None) -> FastAPI:
    """Return the application.

    Args:
        rubrics: grade the responses; the application opens and closes their connections.
        settings: limits of the server.
        token: the bearer token that requests need; None if only this machine can reach the server.
    """
    metrics = ServerMetrics(rubrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with rubrics:
            yield

    app = FastAPI(
        title="AutoSR rubrics",
        description="Scores responses with the rubrics of a search.",
        version="1",
        lifespan=lifespan,
        responses={
            code: {"model": Fault, "description": description}
            for code, description in {
                400: "The body is not JSON.",
                401: "The bearer token is missing or wrong.",
                422: "The request is not valid.",
            }.items()
        },
    )
    _add_scoring_routes(app, rubrics, settings, metrics)
    _add_read_routes(app, rubrics, metrics)
    _add_error_handlers(app)
    app.add_middleware(
        RequestGate,
        token=token,
        limits=settings,
        metrics=metrics,
        scoring_paths=frozenset({"/score", "/batch_score"}),
        public_paths=frozenset({"/healthz"}),
    )
    return app


_SCORING_FAULTS: dict[int | str, dict[str, Any]] = {
    code: {"model": Fault, "description": description}
    for code, description in {
        404: "The prompt has no rubric.",
        408: "The body arrived too slowly.",
        413: "The body is too large.",
        429: "Too many scoring requests at the same time; try again.",
        502: "The model's endpoint cannot be used.",
        503: "The budget is spent.",
    }.items()
}


def _add_scoring_routes(app: FastAPI, rubrics: Rubrics, settings: ServeSettings, metrics: ServerMetrics) -> None:
    class BatchRequest(BaseModel):
        """Responses to score."""

        responses: list[ScoreRequest] = Field(min_length=1, max_length=settings.max_batch)

    @app.post("/score", responses=_SCORING_FAULTS)
    async def score(request: ScoreRequest) -> ScoreReply:
        """Score one response."""
        scored = await rubrics.score(request.prompt_id, request.response)
        metrics.count_response(scored)
        return ScoreReply.model_validate(scored.as_json())

    @app.post("/batch_score", responses=_SCORING_FAULTS)
    async def batch_score(request: BatchRequest) -> BatchReply:
        """Score several responses; if one cannot be scored, the request fails."""
        batch = await rubrics.score_batch((item.prompt_id, item.response) for item in request.responses)
        for scored in batch:
            metrics.count_response(scored)
        return BatchReply(scored=[ScoreReply.model_validate(scored.as_json()) for scored in batch])


def _add_read_routes(app: FastAPI, rubrics: Rubrics, metrics: ServerMetrics) -> None:
    @app.get("/rubrics", responses={404: {"model": Fault, "description": "The prompt has no rubric."}})
    async def rubrics_served(
        prompt_id: Annotated[str | None, Query(description="Only the rubric of this prompt.")] = None,
        offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
        limit: Annotated[int, Query(ge=1, le=MAX_LISTED)] = 100,
    ) -> RubricsReply:
        """List the rubrics that the server grades with."""
        prompt_ids = rubrics.prompt_ids[offset : offset + limit] if prompt_id is None else [prompt_id]
        return RubricsReply(
            search=rubrics.export.search,
            which=str(rubrics.which),
            votes=rubrics.votes,
            prompts=len(rubrics.prompt_ids),
            rubrics=[_rubric_entry(rubrics, name) for name in prompt_ids],
        )

    @app.get("/healthz")
    async def healthz() -> Health:
        """Report that the server is up; needs no token."""
        return Health(prompts=len(rubrics.prompt_ids))

    @app.get("/metrics", response_class=Response, responses={200: {"content": {metrics.content_type: {}}}})
    async def figures() -> Response:
        """Report metrics in the Prometheus text format."""
        return Response(metrics.text(), headers={"content-type": metrics.content_type})


def _rubric_entry(rubrics: Rubrics, prompt_id: str) -> RubricEntry:
    rubric = rubrics.rubric(prompt_id)
    return RubricEntry(
        prompt_id=prompt_id,
        criteria=[
            CriterionEntry(
                criterion_id=criterion.criterion_id, text=criterion.text, weight=weight, measure=criterion.measure
            )
            for criterion, weight in zip(rubric.criteria, rubric.weights, strict=True)
        ],
    )


def _add_error_handlers(app: FastAPI) -> None:
    codes: dict[type[AutosrError], int] = {SettingsError: 404, EndpointError: 502, BudgetExhausted: 503}

    async def reply_with_message(_: Request, error: Exception) -> JSONResponse:
        code = next((code for kind, code in codes.items() if isinstance(error, kind)), 500)
        return JSONResponse({"detail": str(error).encode("utf-8", "replace").decode()}, code)

    async def reply_with_faults(_: Request, error: Exception) -> JSONResponse:
        # The input is left out: it may be long, and may hold values that JSON cannot represent.
        faults = error.errors() if isinstance(error, RequestValidationError) else []
        details = [{name: fault[name] for name in ("loc", "msg", "type")} for fault in faults]
        return JSONResponse({"detail": details}, 422)

    app.add_exception_handler(AutosrError, reply_with_message)
    app.add_exception_handler(RequestValidationError, reply_with_faults)
