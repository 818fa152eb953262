"""The graph of AutoSR in Dagster; all arithmetic is in autosr_lib."""
