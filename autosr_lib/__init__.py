"""The method of AutoSR: rubric search without Dagster, usable from a script."""
