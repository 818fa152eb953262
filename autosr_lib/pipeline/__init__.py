"""The search of a whole dataset, without Dagster: a plan of what there is to do, and a runner that does it."""
