"""What must hold of datasets and searches, as asset checks."""
