"""`python -m autosr_assets` is `autosr`, where a checkout is used without being installed."""

from autosr_assets.cli.main import main

main()
