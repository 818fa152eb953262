"""What every process needs to run the graph: where data lies, Dagster's instance, signals, and the names of assets."""
