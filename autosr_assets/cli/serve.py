"""The work of `autosr serve`."""

from autosr_assets.cli.grading import load_rubrics
from autosr_assets.cli.options.grading import ServeOptions
from autosr_assets.cli.serving import run_server
from autosr_lib.reward.server import ServeSettings


def serve(options: ServeOptions) -> None:
    """Serve scores until a signal arrives.

    Raises:
        SettingsError: the rubrics or the address cannot be used, or a token is missing.
    """
    limits = ServeSettings(
        max_concurrent=options.max_concurrent, max_batch=options.max_batch, max_body_bytes=options.max_body_bytes
    )
    run_server(load_rubrics(options), limits, options.host, options.port)
