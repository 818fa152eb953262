"""One folder a dataset or search."""
