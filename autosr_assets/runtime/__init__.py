"""What every process needs to run the graph: locations of data, Dagster's instance, resources, signals and names."""
