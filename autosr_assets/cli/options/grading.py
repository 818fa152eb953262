"""Options of the commands that use rubrics: `score`, `eval`, `serve` and `rubrics export`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from autosr_assets.cli.options.base import CommandOptions

RubricsFile = Annotated[Path, typer.Argument(metavar="RUBRICS", help="The JSON file that `autosr search` wrote.")]
WhichRubric = Annotated[
    str,
    typer.Option(
        help="Which rubric to use: rubric (weights fitted on all candidates), measured_rubric, initial_rubric."
    ),
]


@dataclass(frozen=True, kw_only=True)
class GradingOptions(CommandOptions):
    """How responses are graded; by default as in the search."""

    rubrics: RubricsFile
    which: WhichRubric = "rubric"
    votes: Annotated[
        int | None,
        typer.Option(help="Votes of the verifier for each response; by default as many as in the search.", min=1),
    ] = None
    base_url: Annotated[str | None, typer.Option(help="Endpoint of the verifier; by default that of the search.")] = (
        None
    )
    max_concurrency: Annotated[
        int | None, typer.Option(help="Maximum number of concurrent requests to the endpoint.", min=1)
    ] = None
    max_calls: Annotated[
        int | None, typer.Option(help="Maximum number of requests to the endpoint in total.", min=0)
    ] = None
    max_tokens: Annotated[
        int | None, typer.Option(help="Maximum number of tokens in total, of requests and replies.", min=0)
    ] = None
    max_cost: Annotated[
        float | None, typer.Option(help="Maximum cost in US dollars, at the prices of the search.", min=0)
    ] = None


@dataclass(frozen=True, kw_only=True)
class ScoreOptions(GradingOptions):
    """Options of `autosr score`."""

    responses: Annotated[
        Path,
        typer.Argument(
            help="JSON Lines, CSV or Parquet file with columns prompt_id and response; other columns are kept."
        ),
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
    html: Annotated[Path | None, typer.Option("--html", help="Also write the figures to an HTML file.")] = None


@dataclass(frozen=True, kw_only=True)
class ServeOptions(GradingOptions):
    """Options of `autosr serve`."""

    host: Annotated[
        str, typer.Option(help="Address to listen on; a token is required if other machines can reach it.")
    ] = "127.0.0.1"
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8090
    max_concurrent: Annotated[
        int, typer.Option(help="Maximum number of concurrent requests; further requests get status 429.", min=1)
    ] = 64
    max_batch: Annotated[int, typer.Option(help="Maximum number of responses in a batch.", min=1)] = 64
    max_body_bytes: Annotated[
        int, typer.Option(help="Maximum size of a request body; a larger body gets status 413.", min=1024)
    ] = 4 * 2**20


@dataclass(frozen=True, kw_only=True)
class ExportRubricsOptions(CommandOptions):
    """Options of `autosr rubrics export`."""

    rubrics: RubricsFile
    target: Annotated[Path, typer.Argument(help="A .jsonl file for points, a folder for verifiers.")]
    shape: Annotated[
        str,
        typer.Option(
            help="Format: points (criterion and points, as in HealthBench and Rubrics as Rewards), or verifiers (v1, one file per prompt)."
        ),
    ] = "points"
    which: WhichRubric = "rubric"
