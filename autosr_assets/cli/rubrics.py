"""The work of `autosr rubrics export`."""

import typer

from autosr_assets.cli.options.grading import ExportRubricsOptions
from autosr_lib.errors import SettingsError
from autosr_lib.reward.exported import read_export
from autosr_lib.reward.rubrics import known_which
from autosr_lib.reward.shapes import Shape, write_shape


def export_rubrics(options: ExportRubricsOptions) -> None:
    """Write rubrics in the format of another tool.

    Raises:
        SettingsError: the file is no export, or an option is impossible.
    """
    if options.shape not in set(Shape):
        raise SettingsError(f"shape is {options.shape!r}; must be one of {', '.join(Shape)}")
    export, which = read_export(str(options.rubrics)), known_which(options.which)
    count = write_shape(export, which, Shape(options.shape), options.target)
    typer.echo(f"{count} rubrics are in {options.target}")
