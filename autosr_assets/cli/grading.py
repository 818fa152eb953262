"""Loading of the rubrics that a command grades with."""

from dataclasses import fields

from autosr_assets.cli.options.grading import GradingOptions
from autosr_assets.runtime.home import cache_location
from autosr_lib.reward.rubrics import Rubrics

_NOT_SETTINGS = {"rubrics", "which", "votes"}
"""Options that are not settings of the backend."""


def load_rubrics(options: GradingOptions) -> Rubrics:
    """Return the rubrics of an export, with the reply cache that searches use.

    Raises:
        SettingsError: the file is not an export, an option is invalid, or a model is needed and the API key is missing.
        TemplateError: the template in the export is invalid.
    """
    names = [option.name for option in fields(GradingOptions) if option.name not in _NOT_SETTINGS]
    settings = {name: value for name in names if (value := getattr(options, name)) is not None}
    rubrics = Rubrics.load(str(options.rubrics), which=options.which, votes=options.votes, settings=settings)
    return rubrics.with_cache(cache_location(rubrics.backend.llm.cache_dir))
