"""Rubrics behind HTTP: the application that `autosr serve` runs. Needs the extra `serve`."""

import logging
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
from autosr_lib.reward.server_gate import Gate
from autosr_lib.reward.server_metrics import Metrics

logger = logging.getLogger(__name__)

MOST_LISTED = 1000


class ServeSettings(Settings):
    """What the server allows."""

    max_concurrent: int = Field(default=64, ge=1, le=10_000)
    """Most requests for scores under way at once; one more is answered by 429."""
    max_batch: int = Field(default=64, ge=1, le=10_000)
    """Most responses in one batch."""
    max_body_bytes: int = Field(default=4 * 2**20, ge=1024)
    """Largest body of a request; a larger one is answered by 413."""
    body_seconds: float = Field(default=30.0, gt=0)
    """Seconds in which a body has to come; a slower one is answered by 408."""


class ScoreRequest(BaseModel):
    """A response to be scored."""

    prompt_id: str = Field(description="The prompt that it answers.", examples=["p1"])
    response: str = Field(description="The response itself.", examples=["A response."])


class CriterionReply(BaseModel):
    """A criterion, as a response was graded by it."""

    criterion_id: str
    text: str
    weight: float = Field(ge=0, le=1, description="Share of the rubric.")
    grade: float | None = Field(description="0..1; null where nobody graded it, or it does not apply.")
    votes: list[float | None]
    reasons: list[str] = Field(description="Why, vote by vote, as the verifier says it.")
    is_applicable: bool
    measure: str | None = Field(description="The function that grades it without any call.")


class ScoreReply(BaseModel):
    """A response that was graded."""

    prompt_id: str
    score: float | None = Field(description="0..1; null is unscored: more than half of the weight has no grade.")
    ungraded: float = Field(description="Share of the rubric's weight that nobody graded.")
    grades: list[CriterionReply]


class BatchReply(BaseModel):
    """Responses that were graded, in the order in which they came."""

    scored: list[ScoreReply]


class CriterionEntry(BaseModel):
    """A criterion of a rubric."""

    criterion_id: str
    text: str
    weight: float
    measure: str | None


class RubricEntry(BaseModel):
    """A prompt's rubric."""

    prompt_id: str
    criteria: list[CriterionEntry]


class RubricsReply(BaseModel):
    """What is served."""

    search: str
    which: str
    votes: int
    prompts: int = Field(description="Prompts that have a rubric; `rubrics` shows some of them.")
    rubrics: list[RubricEntry]


class Health(BaseModel):
    """That the server is there."""

    status: str = "ok"
    prompts: int


class Fault(BaseModel):
    """What was wrong."""

    detail: Any


def create_app(rubrics: Rubrics, settings: ServeSettings, token: str | None) -> FastAPI:
    """Return the application.

    Args:
        rubrics: what grades; the application opens and closes its connections.
        settings: what is allowed.
        token: what a request has to bear, None for a server that only this machine reaches.
    """
    metrics = Metrics(rubrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with rubrics:
            yield

    app = FastAPI(
        title="AutoSR rubrics",
        description="Scores responses by the rubrics of a search.",
        version="1",
        lifespan=lifespan,
        responses={
            code: {"model": Fault, "description": says}
            for code, says in {
                400: "The body is not JSON.",
                401: "The bearer token is missing or wrong.",
                422: "The request is not as it has to be.",
            }.items()
        },
    )
    _add_scoring(app, rubrics, settings, metrics)
    _add_telling(app, rubrics, metrics)
    _add_faults(app)
    app.add_middleware(
        Gate,
        token=token,
        limits=settings,
        metrics=metrics,
        counted=frozenset({"/score", "/batch_score"}),
        open_to_all=frozenset({"/healthz"}),
    )
    return app


_SCORING_FAULTS: dict[int | str, dict[str, Any]] = {
    code: {"model": Fault, "description": says}
    for code, says in {
        404: "The prompt has no rubric.",
        408: "The body came too slowly.",
        413: "The body is too large.",
        429: "Too many requests are under way; try again.",
        502: "The model's endpoint will not answer.",
        503: "The budget is spent.",
    }.items()
}


def _add_scoring(app: FastAPI, rubrics: Rubrics, settings: ServeSettings, metrics: Metrics) -> None:
    class BatchRequest(BaseModel):
        """Responses to be scored."""

        responses: list[ScoreRequest] = Field(min_length=1, max_length=settings.max_batch)

    @app.post("/score", responses=_SCORING_FAULTS)
    async def score(asked: ScoreRequest) -> ScoreReply:
        """Score one response."""
        scored = await rubrics.score(asked.prompt_id, asked.response)
        metrics.count(scored)
        return ScoreReply.model_validate(scored.as_json())

    @app.post("/batch_score", responses=_SCORING_FAULTS)
    async def batch_score(asked: BatchRequest) -> BatchReply:
        """Score several responses; a fault of one is a fault of all."""
        found = await rubrics.score_batch((one.prompt_id, one.response) for one in asked.responses)
        for scored in found:
            metrics.count(scored)
        return BatchReply(scored=[ScoreReply.model_validate(scored.as_json()) for scored in found])


def _add_telling(app: FastAPI, rubrics: Rubrics, metrics: Metrics) -> None:
    @app.get("/rubrics", responses={404: {"model": Fault, "description": "The prompt has no rubric."}})
    async def rubrics_served(
        prompt_id: Annotated[str | None, Query(description="Only the rubric of this prompt.")] = None,
        offset: Annotated[int, Query(ge=0, le=2**31)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 100,
    ) -> RubricsReply:
        """Tell what is served."""
        names = rubrics.prompt_ids[offset : offset + limit] if prompt_id is None else [prompt_id]
        return RubricsReply(
            search=rubrics.exported.search,
            which=str(rubrics.which),
            votes=rubrics.votes,
            prompts=len(rubrics.prompt_ids),
            rubrics=[_entry(rubrics, name) for name in names],
        )

    @app.get("/healthz")
    async def healthz() -> Health:
        """Tell that the server is there; no token is needed."""
        return Health(prompts=len(rubrics.prompt_ids))

    @app.get("/metrics", response_class=Response, responses={200: {"content": {metrics.content_type: {}}}})
    async def figures() -> Response:
        """Tell the figures, in Prometheus' format."""
        return Response(metrics.text(), headers={"content-type": metrics.content_type})


def _entry(rubrics: Rubrics, prompt_id: str) -> RubricEntry:
    rubric = rubrics.rubric(prompt_id)
    return RubricEntry(
        prompt_id=prompt_id,
        criteria=[
            CriterionEntry(criterion_id=one.criterion_id, text=one.text, weight=weight, measure=one.measure)
            for one, weight in zip(rubric.criteria, rubric.weights, strict=True)
        ],
    )


def _add_faults(app: FastAPI) -> None:
    codes: dict[type[AutosrError], int] = {SettingsError: 404, EndpointError: 502, BudgetExhausted: 503}

    async def told(_: Request, error: Exception) -> JSONResponse:
        code = next((code for kind, code in codes.items() if isinstance(error, kind)), 500)
        return JSONResponse({"detail": str(error).encode("utf-8", "replace").decode()}, code)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        # Without the input, which may be long, and may hold what JSON cannot say.
        faults = error.errors() if isinstance(error, RequestValidationError) else []
        kept = [{name: fault[name] for name in ("loc", "msg", "type")} for fault in faults]
        return JSONResponse({"detail": kept}, 422)

    app.add_exception_handler(AutosrError, told)
    app.add_exception_handler(RequestValidationError, invalid)
