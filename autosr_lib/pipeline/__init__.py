"""The search of a complete dataset, without Dagster: plans say what a search consists of, runners carry it out."""
