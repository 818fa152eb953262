"""Options of the commands that grade by rubrics: which rubric, how often, at which endpoint, and for how much."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from autosr_lib.reward.rubrics import Rubrics

Which = Annotated[
    str,
    typer.Option(
        help="Which rubric grades: rubric (weights fitted on all candidates), measured_rubric, initial_rubric."
    ),
]


@dataclass(frozen=True)
class Grading:
    """How responses are graded; what is not given is as it was in the search."""

    which: Which = "rubric"
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

    def load(self, path: Path) -> "Rubrics":
        """Return the rubrics of an export, whose kept replies lie where those of searches do.

        Raises:
            SettingsError: the file is no export, an option is impossible, or a model is needed and there is no key.
            TemplateError: the exported template is wrong.
        """
        from autosr_assets.runtime.home import cache_location  # noqa: PLC0415
        from autosr_lib.reward.rubrics import Rubrics  # noqa: PLC0415

        options = vars(self).items()
        given = {name: value for name, value in options if name not in ("which", "votes") and value is not None}
        found = Rubrics.load(str(path), which=self.which, votes=self.votes, settings=given)
        return found.with_cache(cache_location(found.backend.llm.cache_dir))


def with_grading(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with the options of `Grading` in the place of its parameter `grading`."""
    options = inspect.signature(Grading).parameters

    @functools.wraps(command)
    def with_options(**given: Any) -> None:
        grading = Grading(**{name: given.pop(name) for name in options})
        command(**given, grading=grading)

    signature = inspect.signature(command)
    own = [parameter for name, parameter in signature.parameters.items() if name != "grading"]
    made = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in options.values()]
    with_options.__signature__ = signature.replace(parameters=[*own, *made])  # type: ignore[attr-defined]
    with_options.__annotations__ = {one.name: one.annotation for one in [*own, *made]}
    return with_options
