"""The work of `autosr rubrics export`."""

import typer

from autosr_assets.cli.options.grading import ExportRubricsOptions
from autosr_lib.domain.wording import plural
from autosr_lib.errors import SettingsError
from autosr_lib.reward.search_export import parse_rubric_choice, read_export
from autosr_lib.reward.shapes import Shape, write_shape


def export_rubrics(options: ExportRubricsOptions) -> None:
    """Write rubrics in the format of another tool.

    Raises:
        SettingsError: the file is not an export, or an option is invalid.
    """
    if options.shape not in set(Shape):
        raise SettingsError(f"shape is {options.shape!r}; must be one of {', '.join(Shape)}")
    export, choice = read_export(str(options.rubrics)), parse_rubric_choice(options.which)
    count = write_shape(export, choice, Shape(options.shape), options.target)
    typer.echo(f"{plural(count, 'rubric')} written to {options.target}")
