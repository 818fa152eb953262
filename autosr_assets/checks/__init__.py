"""Asset checks of datasets and searches."""
