"""`python -m autosr_assets` runs `autosr` in a checkout that is not installed."""

from autosr_assets.cli.main import main

main()
