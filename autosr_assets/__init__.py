"""The Dagster project and the command line of AutoSR; all arithmetic is in `autosr_lib`."""
