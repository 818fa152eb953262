"""The work of `autosr prompts export`."""

import typer

from autosr_assets.cli.options.files import ExportPromptsOptions
from autosr_lib.domain.wording import plural
from autosr_lib.errors import SettingsError, StorageError
from autosr_lib.llm.templates import builtin_templates_folder


def export_prompts(options: ExportPromptsOptions) -> None:
    """Copy the built-in templates to a folder.

    Raises:
        SettingsError: a template exists in the folder already, and `--force` is not given.
        StorageError: a template cannot be written.
    """
    root, folder = builtin_templates_folder(), options.folder
    targets = {path: folder / path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file()}
    existing = [str(target) for target in targets.values() if target.exists()]
    if existing and not options.force:
        raise SettingsError(f"{existing[0]} already exists; give another folder, or --force to overwrite it")
    for path, target in targets.items():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        except OSError as error:
            raise StorageError(f"{target}: cannot be written: {error.strerror or error}") from error
    typer.echo(f"{plural(len(targets), 'template')} written to {folder}; use them with --prompts-dir {folder}")
