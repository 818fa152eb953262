"""Options of the commands that use rubrics: `score`, `eval`, `serve` and `rubrics export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from autosr_assets.cli.options.base import CommandOptions

RubricsFile = Annotated[Path, typer.Argument(metavar="RUBRICS", help="The JSON that `autosr search` wrote.")]
WhichRubric = Annotated[
    str,
    typer.Option(
        help="Which rubric to use: rubric (weights fitted on all candidates), measured_rubric, initial_rubric."
    ),
]


@dataclass(frozen=True, kw_only=True)
class GradingOptions(CommandOptions):
    """How responses are graded; what is not given is as it was in the search."""

    rubrics: RubricsFile
    which: WhichRubric = "rubric"
    votes: Annotated[
        int | None, typer.Option(help="Gradings of each response; by default as many as in the search.", min=1)
    ] = None
    base_url: Annotated[str | None, typer.Option(help="Endpoint of the verifier; by default that of the search.")] = (
        None
    )
    max_concurrency: Annotated[int | None, typer.Option(help="Most requests to the endpoint at once.", min=1)] = None
    max_calls: Annotated[int | None, typer.Option(help="Most requests to the endpoint in all.", min=0)] = None
    max_tokens: Annotated[int | None, typer.Option(help="Most tokens in all, of requests and replies.", min=0)] = None
    max_cost: Annotated[
        float | None, typer.Option(help="Most US dollars in all; the search's prices are used.", min=0)
    ] = None


@dataclass(frozen=True, kw_only=True)
class ScoreOptions(GradingOptions):
    """Options of `autosr score`."""

    responses: Annotated[
        Path,
        typer.Argument(help="JSON Lines, CSV or Parquet with prompt_id and response; other columns are kept."),
    ]
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Output file; by default NAME.scored.EXT beside the input.")
    ] = None
    skip_unknown: Annotated[
        bool,
        typer.Option("--skip-unknown", metavar="", help="Leave rows unscored if their prompt has no rubric."),
    ] = False


@dataclass(frozen=True, kw_only=True)
class EvalOptions(GradingOptions):
    """Options of `autosr eval`."""

    dataset: Annotated[
        Path, typer.Argument(help="Labelled prompts: JSON, JSON Lines, CSV or Parquet, as for a search.")
    ]
    as_json: Annotated[bool, typer.Option("--json", metavar="", help="Print JSON, with all criteria.")] = False
    html: Annotated[Path | None, typer.Option("--html", help="Also write one HTML file.")] = None


@dataclass(frozen=True, kw_only=True)
class ServeOptions(GradingOptions):
    """Options of `autosr serve`."""

    host: Annotated[
        str, typer.Option(help="Address to listen at; addresses that other machines can reach need a token.")
    ] = "127.0.0.1"
    port: Annotated[int, typer.Option(help="Port to listen at.", min=0, max=65535)] = 8090
    max_concurrent: Annotated[int, typer.Option(help="Most requests at once; further ones get 429.", min=1)] = 64
    max_batch: Annotated[int, typer.Option(help="Most responses in one batch.", min=1)] = 64
    max_body_bytes: Annotated[int, typer.Option(help="Largest body; a larger one gets 413.", min=1024)] = 4 * 2**20


@dataclass(frozen=True, kw_only=True)
class ExportRubricsOptions(CommandOptions):
    """Options of `autosr rubrics export`."""

    rubrics: RubricsFile
    target: Annotated[Path, typer.Argument(help="A .jsonl file for points, a folder for verifiers.")]
    shape: Annotated[
        str,
        typer.Option(
            help="points (criterion, points: HealthBench, Rubrics as Rewards) or verifiers (v1, one file per prompt)."
        ),
    ] = "points"
    which: WhichRubric = "rubric"
